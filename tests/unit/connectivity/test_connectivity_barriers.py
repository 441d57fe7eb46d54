"""Barriers, their errors, and the norm under a path."""

import numpy as np
import pytest
from pydantic import ValidationError
from small_models import dense_update, save_adapter

from lossgeometry.connectivity.barriers import mean_and_error, mean_barrier, over_chord, path_norms
from lossgeometry.connectivity.endpoints import ALONG_PATH, PointLosses, check_same_sequences, read_losses, write_losses
from lossgeometry.connectivity.paths import lengths_of, shrinkage, shrinkage_control, whole_path
from lossgeometry.errors import InputError
from lossgeometry.settings.connectivity import Connectivity
from lossgeometry.updates.peft import Adapter

POINTS = np.linspace(0, 1, 11)


def curves(function, offsets=(0.0, 0.4, -0.4)):
    """Losses of sequences that differ by a constant, (points, sequences)."""
    return function(POINTS)[:, None] + np.array(offsets)


def test_a_straight_path_has_no_excess_however_steep():
    losses = curves(lambda t: 1 + 5 * t)
    assert over_chord(POINTS, losses) == pytest.approx(0, abs=1e-12)
    assert mean_barrier(POINTS, losses).value == pytest.approx(2.5)  # Frankle's reads the slope as a barrier
    assert mean_barrier(POINTS, losses).t == 1.0


def test_the_height_of_a_parabola_over_its_chord():
    excess = over_chord(POINTS, curves(lambda t: 2 * t + 4 * t * (1 - t)))
    assert excess.mean(axis=1).max() == pytest.approx(1.0)
    assert POINTS[excess.mean(axis=1).argmax()] == pytest.approx(0.5)


def test_frankles_takes_no_points_outside_the_path():
    points = np.array([-0.5, 0.0, 0.5, 1.0, 1.5])
    losses = np.array([9.0, 1.0, 2.0, 1.0, 9.0])[:, None] + np.zeros(3)
    assert mean_barrier(points, losses).value == pytest.approx(1.0)


def test_one_sequence_has_no_error():
    mean, error = mean_and_error(np.array([[1.0], [2.0]]))
    assert list(mean) == [1.0, 2.0]
    assert np.isnan(error).all()


@pytest.mark.parametrize("ranks", [(4, 4), (2, 5)])
def test_norms_are_those_of_dense_updates(tmp_path, ranks):
    a, b = (
        Adapter(save_adapter(tmp_path / name, seed, rank)) for name, seed, rank in zip("ab", (1, 2), ranks, strict=True)
    )
    lengths, points = lengths_of(a, b), np.array([-0.5, 0.0, 0.3, 1.0, 1.5])
    first, second = dense_update(a), dense_update(b)
    dense = [
        np.sqrt(sum(((1 - t) * first[name] + t * second[name]).__pow__(2).sum() for name in first)) for t in points
    ]
    assert path_norms(points, lengths.a, lengths.b, lengths.inner) == pytest.approx(dense, rel=1e-10)


def test_modules_that_only_one_update_has_are_orthogonal_to_the_other(tmp_path):
    a = Adapter(save_adapter(tmp_path / "a", 1, targets=("q_proj",)))
    b = Adapter(save_adapter(tmp_path / "b", 2, targets=("v_proj",)))
    assert lengths_of(a, b).inner == 0


def test_opposite_updates_meet_at_the_base():
    assert path_norms(np.array([0.5]), 3.0, 3.0, -9.0)[0] == 0


def test_shrinkage_is_none_for_collinear_and_known_for_orthogonal_updates():
    middle = np.array([0.0, 0.5, 1.0])
    for a, b, inner, share in ((2.0, 5.0, 10.0, 1.0), (3.0, 3.0, 0.0, np.sqrt(0.5)), (0.0, 0.0, 0.0, 1.0)):
        found = shrinkage(middle, path_norms(middle, a, b, inner))
        assert found[1] == pytest.approx(share)
        assert found[[0, 2]] == pytest.approx(1)


def test_a_bump_that_shrinking_explains_is_the_control():
    """Loss depends on the length alone: orthogonal updates rise over their chord as much as each does when shrunk."""
    loss = lambda length: 1.2 - length**2 / 2 - length**3 / 5  # noqa: E731
    norms, noise = path_norms(POINTS, 1.0, 1.0, 0.0), np.array([0.1, -0.1])
    multiples = np.array([0.25, 0.5, 0.75, 1.0])
    end = PointLosses(("x", "y"), multiples, loss(multiples)[:, None] + noise)
    base = PointLosses(("x", "y"), np.array([0.0]), loss(np.zeros(1))[:, None] + noise)
    control = shrinkage_control(POINTS, shrinkage(POINTS, norms), end, end, base)
    excess = over_chord(POINTS, loss(norms)[:, None] + noise)
    assert excess.max() > 0.3
    assert control == pytest.approx(excess, abs=1e-12)


def test_losses_come_from_their_files_and_must_be_on_the_same_sequences(tmp_path):
    ends = [
        PointLosses(("x", "y"), np.array([0.5, 1.0]), np.array([[9.0, 9.0], [value, value + 1]]))
        for value in (1.0, 3.0)
    ]
    for name, end in zip("ab", ends, strict=True):
        write_losses(tmp_path / name, {"l": end})
    write_losses(tmp_path / "path", {"l": PointLosses(("x", "y"), np.array([0.5]), np.array([[7, 8]]))}, ALONG_PATH)
    a, b = (read_losses(tmp_path / name)["l"] for name in "ab")
    assert a.sequences == ("x", "y")
    whole = whole_path([0.0, 0.5, 1.0], read_losses(tmp_path / "path", ALONG_PATH)["l"], a, b)
    assert whole.tolist() == [[1.0, 2.0], [7.0, 8.0], [3.0, 4.0]]
    check_same_sequences("l", ["x", "y"], {"a": a})
    with pytest.raises(InputError, match="delete it"):
        check_same_sequences("l", ["y", "x"], {"a": a})


def test_a_grid_without_its_ends_is_refused():
    for points in [(0.0, 0.5), (1.0, 0.0), (0.0, 0.5, 0.5, 1.0)]:
        with pytest.raises(ValidationError, match="0 and 1 among them"):
            Connectivity(points=points)
    with pytest.raises(ValidationError, match="between 0"):
        Connectivity(shrink_points=(1.0,))
