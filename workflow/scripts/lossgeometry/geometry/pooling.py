"""From modules to layers, projections and the whole model: how each kind of measurement and its chance level pool.

A module's value is the pool of that module alone, so that all scopes share one definition.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lossgeometry.geometry.angle_nulls import median_angle
from lossgeometry.geometry.nulls import UNDEFINED, Null, orthogonal_fraction


class Ratio(NamedTuple):
    """<X, Y> / (norm(X) norm(Y)): pools as the ratio for the stacked (block-diagonal) X and Y."""

    inner: float
    norm2_x: float
    norm2_y: float
    null: Null
    """Chance level of the inner product."""


class Mean(NamedTuple):
    """A value per module: pools as the mean over modules."""

    value: float
    null: Null


class Angle(NamedTuple):
    """A principal angle, degrees: pools as the median over modules."""

    value: float
    case: tuple[int, int, int]
    """Dimensions k <= l of the subspaces and d of the space, which determine its null."""
    last: bool


class Norm(NamedTuple):
    """A Frobenius norm: pools as the norm of the stacked update."""

    square: float


class Residual(NamedTuple):
    """norm(dW - projection) / norm(dW): projected per module, pooled as the ratio of the stacked norms."""

    square: float
    norm2: float
    cosine_variance: float


Measurement = Ratio | Mean | Angle | Norm | Residual


def pool(items: Sequence[Measurement]) -> tuple[float, Null]:
    """Return the pooled value of measurements of one kind, NaN where it is undefined, and its chance level."""
    match items[0]:
        case Ratio():
            return _pool_ratios(items)
        case Mean():
            values, means, sds = zip(*((item.value, *item.null) for item in items), strict=True)
            return float(np.mean(values)), Null(float(np.mean(means)), math.hypot(*sds) / len(items))
        case Angle():
            value = float(np.median([item.value for item in items]))
            return value, median_angle(tuple(sorted(item.case for item in items)), items[0].last)
        case Norm():
            return math.sqrt(sum(item.square for item in items)), UNDEFINED
        case Residual():
            squares, norms, variances = (np.array(column) for column in zip(*items, strict=True))
            return math.sqrt(squares.sum() / norms.sum()), orthogonal_fraction(norms / norms.sum(), variances)


def _pool_ratios(items: Sequence[Ratio]) -> tuple[float, Null]:
    scale = math.sqrt(sum(item.norm2_x for item in items)) * math.sqrt(sum(item.norm2_y for item in items))
    if scale == 0:
        return math.nan, UNDEFINED
    value = sum(item.inner for item in items) / scale
    mean = sum(item.null.mean for item in items) / scale
    return value, Null(mean, math.hypot(*(item.null.sd for item in items)) / scale)
