"""Null models of the directions on one side: uniform in the whole space, or turned inside the row spaces as found.

The outputs of unrelated updates are uniform in all m dimensions. Their inputs are not: an update reads its input
through the r rows of its A, and two A may be one, one that moved, or unrelated. So the input directions of either
update are turned inside its own row space, V_a -> V_a P and V_b -> V_b Q with uniform rotations P and Q, while the row
spaces stay where they are: V_a'V_b = M becomes P' M Q, whose law depends on the singular values of M alone. What two
row spaces have in common is thus no similarity; that the leading directions in them agree is.
"""

import math
from functools import cache
from typing import NamedTuple

import numpy as np

from lossgeometry.geometry import nulls
from lossgeometry.geometry.angle_nulls import sample_extreme_angles
from lossgeometry.geometry.nulls import Null

DRAWS = 64
"""Draws of the angles of one module: they give its band to a tenth, and one pooled over many modules to as little."""
_FRAMES = 1024
_SEED = 20_261_121

Angles = tuple[np.ndarray, np.ndarray]


class WholeSpace(NamedTuple):
    """Directions uniform in d dimensions."""

    dimension: int

    def gram_product(self, s_a: np.ndarray, s_b: np.ndarray) -> Null:
        """Return the null of norm(S_a C S_b)^2 for an overlap C of the directions."""
        return nulls.trace_product(s_a**2, s_b**2, self.dimension)

    def grassmann(self, k: int) -> Null:
        """Return the null of norm(C[:k, :k])^2 / k."""
        mean, sd = nulls.trace_product(np.ones(k), np.ones(k), self.dimension)
        return Null(mean / k, sd / k)

    def top_direction(self) -> Null:
        """Return the null of abs(C[0, 0])."""
        return nulls.top_direction(self.dimension)

    def extreme_angles(self, k: int) -> Angles:
        """Return draws of the first and of the last angle between the k leading directions, degrees."""
        return sample_extreme_angles(k, k, self.dimension)


class RowSpaces(NamedTuple):
    """Directions turned inside the row spaces of the two updates. Where nothing is left to turn, the spread is zero."""

    overlap: np.ndarray
    """Singular values of M = V_a' V_b."""
    ranks: tuple[int, int]
    """Dimensions of the row spaces, ascending: which is whose does not matter."""
    place: int
    """Place of the module, which chooses the random rotations: modules have their own."""

    @classmethod
    def of(cls, overlap: np.ndarray, index: int) -> "RowSpaces":
        """Return the null model for M, (r_a, r_b)."""
        found = np.linalg.svd(overlap, compute_uv=False) if overlap.size else np.zeros(0)
        return cls(found, tuple(sorted(overlap.shape)), index)

    def gram_product(self, s_a: np.ndarray, s_b: np.ndarray) -> Null:
        """Return the null of norm(S_a P'MQ S_b)^2."""
        return self._product(*sorted((s_a**2, s_b**2), key=len))

    def grassmann(self, k: int) -> Null:
        """Return the null of norm((P'MQ)[:k, :k])^2 / k."""
        mean, sd = self._product(np.ones(k), np.ones(k))
        return Null(mean / k, sd / k)

    def _product(self, x: np.ndarray, y: np.ndarray) -> Null:
        squares = self.overlap**2
        return nulls.turned_product(x, y, float(squares.sum()), float(squares @ squares), self.ranks)

    def top_direction(self) -> Null:
        """Return the null of abs((P'MQ)[0, 0]) = abs(p'Mq) with uniform unit vectors p and q.

        For given q it is norm(Mq) times a coordinate of a unit vector. The mean of norm(Mq) is sampled; to first order
        its error is that of the mean of norm(Mq)^2, which is known.
        """
        rows, columns = self.ranks
        squares = _frames(columns, 1)[0][:, : len(self.overlap), 0] ** 2 @ self.overlap**2
        mean_square = float(np.sum(self.overlap**2)) / columns
        length = float(np.sqrt(squares).mean()) - float(squares.mean() - mean_square) / (2 * math.sqrt(mean_square))
        mean = nulls.top_direction(rows).mean * length
        variance = mean_square / rows - mean**2
        return Null(mean, math.sqrt(variance) if variance > nulls.ROUNDING * mean_square else 0.0)

    def extreme_angles(self, k: int) -> Angles:
        """Return draws of the first and of the last angle between the k leading directions, degrees."""
        if self.ranks == (k, k):
            angles = np.degrees(np.arccos(np.minimum(self.overlap[[0, -1]], 1.0)))
            return np.repeat(angles[0], DRAWS), np.repeat(angles[1], DRAWS)
        rng = np.random.default_rng([_SEED, self.place])
        x, y = (
            _frames(rank, k)[side][rng.integers(0, _FRAMES, DRAWS), : len(self.overlap)]
            for side, rank in enumerate(self.ranks)
        )
        cosines = np.linalg.svd((x * self.overlap[:, None]).transpose(0, 2, 1) @ y, compute_uv=False)
        angles = np.degrees(np.arccos(np.minimum(cosines, 1.0)))
        return angles[:, 0], angles[:, -1]


@cache
def _frames(rank: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return two sets of bases, (_FRAMES, rank, k), of uniformly random k-dimensional subspaces."""
    rng = np.random.default_rng([_SEED, rank, k])
    first, second = (np.linalg.qr(rng.standard_normal((_FRAMES, rank, k)))[0] for _ in range(2))
    return first, second
