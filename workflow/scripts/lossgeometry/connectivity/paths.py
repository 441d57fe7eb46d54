"""The path of one pair, put together from its inner points and its two shared ends, and what is read off it."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline

from lossgeometry.connectivity.barriers import mean_and_error, path_norms
from lossgeometry.connectivity.endpoints import PointLosses
from lossgeometry.updates.update import Update

CURVE_COLUMNS = ("loss", "t", "value", "se", "norm")


@dataclass(frozen=True)
class Lengths:
    """Norms and inner product of two updates over all modules, Frobenius."""

    a: float
    b: float
    inner: float


def lengths_of(a: Update, b: Update) -> Lengths:
    """Return norms and inner product of two updates."""
    return Lengths(np.sqrt(a.inner(a)), np.sqrt(b.inner(b)), a.inner(b))


def curve_rows(loss: str, points: np.ndarray, losses: np.ndarray, lengths: Lengths) -> list[tuple]:
    """Return the rows of `CURVE_COLUMNS` from the losses on the whole grid, (points, sequences)."""
    mean, error = mean_and_error(losses)
    norms = path_norms(points, lengths.a, lengths.b, lengths.inner)
    return [(loss, *map(float, row)) for row in zip(points, mean, error, norms, strict=True)]


def shrinkage(points: np.ndarray, norms: np.ndarray) -> np.ndarray:
    """Return norm((1 - t) dW_a + t dW_b) / ((1 - t) norm(dW_a) + t norm(dW_b)) at every t, in [0, 1].

    It is 1 for collinear updates and 0.71 in the middle between orthogonal ones of one length; 1 where both updates are
    zero.

    Parameters
    ----------
    points, norms
        (points,) from 0 to 1, and the norms of the path there, as in `CURVE_COLUMNS`.
    """
    straight = (1 - points) * norms[points == 0.0] + points * norms[points == 1.0]
    return np.minimum(1.0, np.divide(norms, straight, out=np.ones_like(norms), where=straight > 0))


def shrinkage_control(
    points: np.ndarray, shares: np.ndarray, a: PointLosses, b: PointLosses, base: PointLosses
) -> np.ndarray:
    """Return what shrinking alone does to the loss of every sequence, (points, sequences).

    At t that is (1 - t) and t times the change of the loss when each update alone is shrunk to the share that the path
    is shortened to. A path that rises above it does so for another reason than that it is short.

    Parameters
    ----------
    points, shares
        (points,): t, and the `shrinkage` there.
    a, b, base
        Losses of both ends at multiples of themselves, and of the base.
    """
    changes = [_at_multiples(end, base, shares) - end.at(1.0) for end in (a, b)]
    return (1 - points[:, None]) * changes[0] + points[:, None] * changes[1]


def _at_multiples(end: PointLosses, base: PointLosses, multiples: np.ndarray) -> np.ndarray:
    """Return the losses of an update alone at multiples of itself in [0, 1], (multiples, sequences): a cubic spline
    through the measured ones, since a straight line between them overstates a convex loss by more than small barriers.
    """
    known = np.concatenate([base.points, end.points])
    return CubicSpline(known, np.concatenate([base.losses, end.losses]))(multiples)


def whole_path(points: Iterable[float], inner: PointLosses, a: PointLosses, b: PointLosses) -> np.ndarray:
    """Return the losses on the whole grid, (points, sequences), from those measured for the pair and its shared
    ends."""
    return np.stack([a.at(1.0) if t == 0.0 else b.at(1.0) if t == 1.0 else inner.at(t) for t in points])
