"""Null model of the input side: B turned inside A, with A as found.

dW = B A reads its inputs through A, whose singular values are not equal: a random A of r rows and n columns has them spread by
about sqrt(r / n), and one that moved towards common inputs by more. The right singular vectors of dW lean to what A passes on
most, whatever B is; where two updates have one A, they lean to the same directions. So each B is turned, B -> B P with a uniform
rotation P, and A stays.

With H = V'A'A V and the eigenvalues d^2 of B'B, which are those of S H^-1 S, the turned update has the singular values and the
right singular vectors of d P H^1/2, in the coordinates of V. Where H is a multiple of the identity the vectors are uniform, and
the model is that of `row_spaces`, whose laws are known. Each statistic takes its law from there, shifted by how much the same
rotations differ between the two models on average: that difference varies much less than the statistic, so that few draws do.
"""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np

from lossgeometry.geometry.nulls import Null
from lossgeometry.geometry.row_spaces import Angles, RowSpaces
from lossgeometry.updates.svd import CompactSVD

_POOL = 128
_SEED = 20_261_122
_DIAGONAL = 1e-6


class Turned(NamedTuple):
    """One update with its B turned: two sets of (draws, k) singular values and (draws, k, k) directions, in columns."""

    s: tuple[np.ndarray, np.ndarray]
    found: tuple[np.ndarray, np.ndarray]
    """Input directions with A as found."""
    even: tuple[np.ndarray, np.ndarray]
    """The same rotations, were all inputs passed on alike."""


class InsideA(NamedTuple):
    """The null model of one pair of updates whose A are known."""

    rows: RowSpaces
    """The law where all inputs pass A alike."""
    overlap: np.ndarray
    """V_a'V_b, (k_a, k_b)."""
    updates: tuple[Turned, Turned]

    def gram_product(self, s_a: np.ndarray, s_b: np.ndarray) -> Null:
        """Return the null of norm(S_a C_v S_b)^2, for the norms that the two updates have."""

        def alignment(overlap: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
            norms = np.sqrt(np.sum(x**4, axis=-1) * np.sum(y**4, axis=-1))
            return np.sum((x[..., :, None] * overlap * y[..., None, :]) ** 2, axis=(1, 2)) / norms

        mean, sd = self.rows.gram_product(s_a, s_b)
        shift = self._shift(alignment, lambda overlap, x, y: alignment(overlap, s_a, s_b))
        return Null(mean + shift * float(np.sqrt(np.sum(s_a**4) * np.sum(s_b**4))), sd)

    def grassmann(self, k: int) -> Null:
        """Return the null of norm(C_v[:k, :k])^2 / k."""
        mean, sd = self.rows.grassmann(k)
        return Null(mean + self._shift(lambda overlap, x, y: np.sum(overlap[:, :k, :k] ** 2, axis=(1, 2)) / k), sd)

    def top_direction(self) -> Null:
        """Return the null of abs(C_v[0, 0])."""
        mean, sd = self.rows.top_direction()
        return Null(mean + self._shift(lambda overlap, x, y: np.abs(overlap[:, 0, 0])), sd)

    def extreme_angles(self, k: int) -> Angles:
        """Return draws of the first and of the last angle between the k leading directions, degrees."""
        first, last = self.rows.extreme_angles(k)
        shifts = self._shift(lambda overlap, x, y: _extreme_angles(overlap[:, :k, :k]))
        return first + shifts[0], last + shifts[1]

    def _shift(self, statistic: Callable, of_even: Callable | None = None):
        a, b = self.updates
        total = 0.0
        # Either update takes either set of rotations, so that it does not matter which of them comes first.
        for x, y in ((0, 1), (1, 0)):
            found, even = (
                left[x].transpose(0, 2, 1) @ self.overlap @ right[y]
                for left, right in ((a.found, b.found), (a.even, b.even))
            )
            spectra = a.s[x], b.s[y]
            total = total + np.mean(statistic(found, *spectra) - (of_even or statistic)(even, *spectra), axis=-1) / 2
        return total


def input_space(a: CompactSVD, b: CompactSVD, overlap: np.ndarray, index: int) -> RowSpaces | InsideA:
    """Return the null model of the input side of one module, by its place and V_a'V_b; that of `row_spaces` without an A.

    An A that was computed from the update itself, such as V', is none: V'A'A V is diagonal then.
    """
    rows = RowSpaces.of(overlap, index)
    if not overlap.size or a.gain is None or b.gain is None or _is_diagonal(a.gain) or _is_diagonal(b.gain):
        return rows
    return InsideA(rows, overlap, (_turned(a.s, a.gain, index), _turned(b.s, b.gain, index)))


def _is_diagonal(gain: np.ndarray) -> bool:
    return bool(np.linalg.norm(gain - np.diag(np.diag(gain))) < _DIAGONAL * np.linalg.norm(gain))


def _turned(s: np.ndarray, gain: np.ndarray, index: int) -> Turned:
    values, vectors = np.linalg.eigh(gain)
    roots = np.sqrt(np.maximum(values, values[-1] * _DIAGONAL))
    root = (vectors * roots) @ vectors.T
    d = np.linalg.svd(s[:, None] * ((vectors / roots) @ vectors.T), compute_uv=False)
    sets = []
    for rotations in _rotations(len(d), index):
        x = d[:, None] * (rotations @ root)
        squares, directions = np.linalg.eigh(x.transpose(0, 2, 1) @ x)
        # Eigenvalues ascend.
        turned = np.sqrt(np.maximum(squares[:, ::-1], 0.0))
        sets.append((turned, directions[:, :, ::-1], rotations.transpose(0, 2, 1)))
    return Turned(*zip(*sets, strict=True))


def _rotations(rank: int, index: int) -> np.ndarray:
    """Return two sets of rotations for a module, (2, draws, rank, rank); fewer of large ones."""
    draws = min(max(4096 // rank**2, 2), 16)
    picks = np.random.default_rng([_SEED, index, rank]).integers(0, _POOL, (2, draws))
    return np.take_along_axis(_pool(rank), picks[:, :, None, None], axis=1)


@cache
def _pool(rank: int) -> np.ndarray:
    """Return two sets of uniformly random rotations, (2, _POOL, rank, rank)."""
    rng = np.random.default_rng([_SEED, rank])
    q, r = np.linalg.qr(rng.standard_normal((2, _POOL, rank, rank)))
    return q * np.where(np.diagonal(r, axis1=-2, axis2=-1) < 0, -1.0, 1.0)[..., None, :]


def _extreme_angles(overlap: np.ndarray) -> np.ndarray:
    """Return the first and the last angle of every overlap, (2, draws), degrees."""
    cosines = np.linalg.svd(overlap, compute_uv=False)
    return np.degrees(np.arccos(np.minimum(cosines[:, [0, -1]], 1.0))).T
