"""Principal angles: planted ones are found again, from 90 degrees to 1e-6 degrees mixed in one pair of subspaces."""

import numpy as np
import pytest
from geometry_tools import compare, name

from lossgeometry.geometry.angles import principal_angles

PLANTED = np.array([1e-6, 3e-6, 1e-4, 0.01, 1.0, 2.4, 2.6, 44.9, 45.1, 60.0])


def planted(rng, d, angles, extra=0):
    """Return x (d, k) and y (d, k + extra) at the given principal angles, in random bases."""
    k = len(angles)
    frame = np.linalg.qr(rng.standard_normal((d, 2 * k + extra)))[0]
    x, away, more = frame[:, :k], frame[:, k : 2 * k], frame[:, 2 * k :]
    radians = np.radians(angles)
    y = np.hstack([x * np.cos(radians) + away * np.sin(radians), more])
    turns = [np.linalg.qr(rng.standard_normal((size, size)))[0] for size in (k, k + extra)]
    return x @ turns[0], y @ turns[1]


@pytest.mark.parametrize("extra", [0, 3])
@pytest.mark.parametrize("swapped", [False, True])
def test_planted_angles_are_found(extra, swapped):
    x, y = planted(np.random.default_rng(0), 200, PLANTED, extra)
    found = principal_angles(y, x) if swapped else principal_angles(x, y)
    np.testing.assert_allclose(found, PLANTED, rtol=1e-7, atol=1e-13)


def test_planted_angles_survive_adapter_and_delta_files(tmp_path):
    """The input side of a float64 adapter with known directions, through adapter file, decomposition and delta file."""
    x, y = planted(np.random.default_rng(1), 120, PLANTED)
    b = np.linalg.qr(np.random.default_rng(2).standard_normal((60, 10)))[0] * np.linspace(2, 1, 10)
    module = name(0, "q")
    rows = compare(tmp_path, {module: (b, x.T)}, {module: (b, y.T)}, k=10)
    first = rows["module", module, 0, "q", "angle_first", "input", 10].value
    last = rows["module", module, 0, "q", "angle_last", "input", 10].value
    assert (first, last) == pytest.approx((PLANTED[0], PLANTED[-1]), rel=1e-7)


def test_one_subspace_in_two_bases_is_at_zero():
    rng = np.random.default_rng(3)
    x = np.linalg.qr(rng.standard_normal((300, 12)))[0]
    turned = x @ np.linalg.qr(rng.standard_normal((12, 12)))[0]
    assert principal_angles(x, turned).max() < 1e-12


def test_orthogonal_subspaces_are_at_ninety():
    frame = np.linalg.qr(np.random.default_rng(4).standard_normal((50, 10)))[0]
    np.testing.assert_allclose(principal_angles(frame[:, :5], frame[:, 5:]), 90, atol=1e-12)


def test_subspaces_too_large_for_their_space_intersect():
    rng = np.random.default_rng(5)
    x, y = (np.linalg.qr(rng.standard_normal((7, 5)))[0] for _ in range(2))
    angles = principal_angles(x, y)
    assert angles[:3].max() < 1e-12 and angles[3] > 1


def test_overlap_given_beforehand_changes_nothing():
    x, y = planted(np.random.default_rng(6), 80, PLANTED, extra=2)
    np.testing.assert_array_equal(principal_angles(x, y), principal_angles(x, y, x.T @ y))
