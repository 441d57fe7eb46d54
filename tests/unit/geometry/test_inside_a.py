"""The input side's null model against what it stands for: B turned inside A, decomposed densely."""

import math

import numpy as np
import pytest

from lossgeometry.geometry.inside_a import InsideA, input_space
from lossgeometry.geometry.row_spaces import RowSpaces
from lossgeometry.updates.svd import CompactSVD, compact_svd, haar

M, N, R, K = 30, 40, 6, 3


def pair(rng, spread):
    """Two updates that read through one A, whose rows are scaled over a range, and that A."""
    a = haar(rng, N, R).T * np.linspace(1, spread, R)[:, None]
    b = [haar(rng, M, R) * np.logspace(0, -1, R) @ haar(rng, R, R) for _ in range(2)]
    return [compact_svd(one, a) for one in b], b, a


def statistics(x: CompactSVD, y: CompactSVD):
    overlap = x.v.T @ y.v
    norms = math.sqrt(np.sum(x.s**4) * np.sum(y.s**4))
    angles = np.degrees(np.arccos(np.linalg.svd(overlap[:K, :K], compute_uv=False)))
    gram = np.sum((x.s[:, None] * overlap * y.s) ** 2) / norms
    return [gram, np.sum(overlap[:K, :K] ** 2) / K, abs(overlap[0, 0]), angles[0], angles[-1]]


@pytest.mark.parametrize("spread", [2.0, 4.0])
def test_the_level_is_that_of_updates_whose_b_is_turned(spread):
    rng = np.random.default_rng(1)
    svds, b, a = pair(rng, spread)
    turned = np.array([statistics(*(compact_svd(one @ haar(rng, R, R), a) for one in b)) for _ in range(600)])
    norms = math.sqrt(np.prod([np.sum(svd.s**4) for svd in svds]))
    levels = []
    for index in range(60):
        space = input_space(*svds, svds[0].v.T @ svds[1].v, index)
        assert isinstance(space, InsideA)
        first, last = space.extreme_angles(K)
        gram = space.gram_product(svds[0].s, svds[1].s).mean / norms
        levels.append([gram, space.grassmann(K).mean, space.top_direction().mean, first.mean(), last.mean()])
    levels = np.array(levels)
    error = np.hypot(turned.std(axis=0) / math.sqrt(len(turned)), levels.std(axis=0) / math.sqrt(len(levels)))
    assert (np.abs(turned.mean(axis=0) - levels.mean(axis=0)) < 4 * error).all()
    even = RowSpaces.of(svds[0].v.T @ svds[1].v, 0)
    assert even.grassmann(K).mean < turned[:, 1].mean() - 4 * error[1], "an even A would be wrong here"


def test_the_order_and_the_basis_do_not_matter():
    rng = np.random.default_rng(2)
    (x, y), _, _ = pair(rng, 2.0)
    overlap = x.v.T @ y.v
    there, back = input_space(x, y, overlap, 5), input_space(y, x, overlap.T, 5)
    assert back.grassmann(K) == pytest.approx(there.grassmann(K), rel=1e-9)
    assert back.gram_product(y.s, x.s) == pytest.approx(there.gram_product(x.s, y.s), rel=1e-9)
    flip = np.where(rng.random(R) < 0.5, -1.0, 1.0)
    turned = x._replace(v=x.v * flip, gain=x.gain * np.outer(flip, flip))
    flipped = input_space(turned, y, turned.v.T @ y.v, 5)
    assert flipped.top_direction().mean == pytest.approx(there.top_direction().mean, abs=0.1)


def test_an_a_that_was_computed_from_the_update_or_is_unknown_says_nothing():
    rng = np.random.default_rng(3)
    (x, y), _, _ = pair(rng, 2.0)
    balanced = compact_svd(x.u * np.sqrt(x.s), (x.v * np.sqrt(x.s)).T)
    for other in (balanced, compact_svd(x.u * x.s, x.v.T), x._replace(gain=None)):
        assert isinstance(input_space(other, y, other.v.T @ y.v, 0), RowSpaces)


def test_a_zero_update_has_no_level():
    (x, _), _, a = pair(np.random.default_rng(4), 2.0)
    zero = compact_svd(np.zeros((M, R)), a)
    assert isinstance(input_space(x, zero, x.v.T @ zero.v, 0), RowSpaces)
