"""Barriers, their errors, and the norm under a path."""

import numpy as np
import pytest
from pydantic import ValidationError
from small_models import dense_update, save_adapter

from lossgeometry.connectivity.barriers import chord_barrier, inner_excess, mean_and_error, mean_barrier, path_norms
from lossgeometry.connectivity.endpoints import EndPoint, check_same_sequences, read_endpoint, write_endpoint
from lossgeometry.connectivity.paths import BARRIER_COLUMNS, Lengths, barrier_row, lengths_of, shrinkage, whole_grid
from lossgeometry.errors import InputError
from lossgeometry.settings.connectivity import Connectivity
from lossgeometry.updates.peft import Adapter

POINTS = np.linspace(0, 1, 11)


def curves(function, offsets=(0.0, 0.4, -0.4)):
    """Losses of sequences that differ by a constant, (points, sequences)."""
    return function(POINTS)[:, None] + np.array(offsets)


def test_a_straight_path_has_no_barrier_however_steep():
    losses = curves(lambda t: 1 + 5 * t)
    assert chord_barrier(POINTS, losses).value == pytest.approx(0, abs=1e-12)
    assert mean_barrier(POINTS, losses).value == pytest.approx(2.5)  # Frankle's reads the slope as a barrier
    assert mean_barrier(POINTS, losses).t == 1.0


def test_a_convex_path_has_no_barrier_and_the_excess_between_its_ends_is_negative():
    losses = curves(lambda t: (t - 0.3) ** 2)
    assert chord_barrier(POINTS, losses).value == pytest.approx(0, abs=1e-12)
    assert inner_excess(POINTS, losses).value == pytest.approx(-0.09)  # -t (1 - t) at t = 0.1
    assert np.isnan(inner_excess(POINTS[[0, -1]], losses[[0, -1]]).value)


def test_a_barrier_is_the_excess_between_the_ends():
    losses = curves(lambda t: np.sin(3 * t))
    assert inner_excess(POINTS, losses) == chord_barrier(POINTS, losses)


def test_the_height_of_a_parabola_over_its_chord():
    barrier = chord_barrier(POINTS, curves(lambda t: 2 * t + 4 * t * (1 - t)))
    assert barrier.value == pytest.approx(1.0)
    assert barrier.t == pytest.approx(0.5)


def test_errors_are_paired_by_sequence():
    bump = lambda t: 4 * t * (1 - t)  # noqa: E731
    assert chord_barrier(POINTS, curves(bump, offsets=(0, 100, -100))).se == pytest.approx(0, abs=1e-12)
    heights = np.array([0.5, 1.0, 1.5, 2.0])
    barrier = chord_barrier(POINTS, bump(POINTS)[:, None] * heights)
    assert barrier.value == pytest.approx(heights.mean())
    assert barrier.se == pytest.approx(heights.std(ddof=1) / 2)


def test_points_outside_the_path_take_no_part():
    points = np.array([-0.5, 0.0, 0.5, 1.0, 1.5])
    losses = np.array([9.0, 1.0, 2.0, 1.0, 9.0])[:, None] + np.zeros(3)
    assert chord_barrier(points, losses).value == pytest.approx(1.0)
    assert mean_barrier(points, losses).value == pytest.approx(1.0)


def test_the_barrier_does_not_depend_on_the_direction():
    losses = curves(lambda t: np.sin(5 * t))
    assert chord_barrier(POINTS, losses).value == pytest.approx(chord_barrier(POINTS, losses[::-1]).value)
    assert mean_barrier(POINTS, losses).value == pytest.approx(mean_barrier(POINTS, losses[::-1]).value)


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


def test_shrinkage_is_none_for_colinear_and_known_for_orthogonal_updates():
    assert shrinkage(0.3, Lengths(2.0, 5.0, 10.0)) == pytest.approx(1)
    assert shrinkage(0.5, Lengths(3.0, 3.0, 0.0)) == pytest.approx(np.sqrt(0.5))
    assert shrinkage(0.5, Lengths(0.0, 0.0, 0.0)) == 1


def test_a_bump_that_shrinking_explains_is_shown_as_such():
    """Loss depends on the length alone: the barrier between orthogonal updates is that of shrinking each of them."""
    loss = lambda length: 1 - length**2 / 2  # noqa: E731
    lengths = Lengths(1.0, 1.0, 0.0)
    losses = loss(path_norms(POINTS, 1.0, 1.0, 0.0))[:, None] + np.array([0.1, -0.1])
    multiples = np.linspace(0.01, 1, 100)
    end = EndPoint(("x", "y"), multiples, loss(multiples)[:, None] + np.array([0.1, -0.1]))
    base = EndPoint(("x", "y"), np.array([0.0]), np.array([[1.1, 0.9]]))
    row = dict(zip(BARRIER_COLUMNS, barrier_row("l", POINTS, losses, lengths, end, end, base), strict=True))
    assert row["barrier"] == pytest.approx(0.25)
    assert row["barrier_of_shrinking"] == pytest.approx(row["barrier"], abs=1e-3)
    assert row["loss_base"] == pytest.approx(1.0)


def test_ends_come_from_their_files_and_must_be_on_the_same_sequences(tmp_path):
    ends = [
        EndPoint(("x", "y"), np.array([0.5, 1.0]), np.array([[9.0, 9.0], [value, value + 1]])) for value in (1.0, 3.0)
    ]
    for name, end in zip("ab", ends, strict=True):
        write_endpoint(tmp_path / name, {"l": end})
    a, b = (read_endpoint(tmp_path / name)["l"] for name in "ab")
    assert a.sequences == ("x", "y")
    whole = whole_grid([0.0, 0.5, 1.0], [0.5], np.array([[7.0, 8.0]]), a, b)
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
