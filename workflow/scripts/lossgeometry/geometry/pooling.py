"""From modules to layers, projections and the whole model: how each kind of measurement and its chance level pool.

A module's value is the pool of that module alone, so that all scopes share one definition. Modules are independent
under the null model. Where there are two null models, of which the wider one counts, the choice is made for all modules
of a projection: were it made module by module, the larger of two noisy spreads would be too large on average.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from lossgeometry.geometry.angle_nulls import median_null
from lossgeometry.geometry.nulls import UNDEFINED, Null, orthogonal_fraction


class Ratio(NamedTuple):
    """<X, Y> / (norm(X) norm(Y)): pools as the ratio for the stacked (block-diagonal) X and Y."""

    inner: float
    norm2_x: float
    norm2_y: float
    nulls: tuple[Null, ...]
    """Chance levels of the inner product under each null model; the first counts."""
    note: str = ""
    """What to know about the chance level; also below."""


class Mean(NamedTuple):
    """A value per module: pools as the mean over modules."""

    value: float
    null: Null
    note: str = ""


class Angle(NamedTuple):
    """A principal angle, degrees: pools as the median over modules."""

    value: float
    draws: np.ndarray
    """Draws from its law under the null model, (draws,); NaN where it has none."""
    note: str = ""


class Norm(NamedTuple):
    """A Frobenius norm: pools as the norm of the stacked update."""

    square: float


class Residual(NamedTuple):
    """norm(dW - projection) / norm(dW): projected per module, pooled as the ratio of the stacked norms."""

    square: float
    norm2: float
    cosine_variances: tuple[float, ...]
    """Variance of the cosine under each null model; the first counts."""


Similarity = Ratio | Mean | Angle
Measurement = Similarity | Norm | Residual


def pool(items: Sequence[Any]) -> tuple[float, Null]:
    """Return the pooled value of measurements of one kind, NaN where it is undefined, and its chance level."""
    match items[0]:
        case Ratio():
            return _pool_ratios(items)
        case Mean():
            means, sds = zip(*(item.null for item in items), strict=True)
            return float(np.mean([item.value for item in items])), Null(
                float(np.mean(means)), math.hypot(*sds) / len(items)
            )
        case Angle():
            return float(np.median([item.value for item in items])), median_null([item.draws for item in items])
        case Norm():
            return math.sqrt(sum(item.square for item in items)), UNDEFINED
        case _:
            squares, norms = (np.array([item[part] for item in items]) for part in (0, 1))
            variances = np.array([item.cosine_variances[0] for item in items])
            return math.sqrt(squares.sum() / norms.sum()), orthogonal_fraction(norms / norms.sum(), variances)


def _pool_ratios(items: Sequence[Ratio]) -> tuple[float, Null]:
    scale = math.sqrt(sum(item.norm2_x for item in items)) * math.sqrt(sum(item.norm2_y for item in items))
    if scale == 0:
        return math.nan, UNDEFINED
    value = sum(item.inner for item in items) / scale
    means, sds = zip(*(item.nulls[0] for item in items), strict=True)
    return value, Null(sum(means) / scale, math.hypot(*sds) / scale)


def widest_first(modules: Sequence[dict]) -> None:
    """Put the wider null model of the cosine first, for all modules of a projection together; changed in place."""
    ratios = [items["cosine", "none", 0] for items in modules]
    widths = [math.hypot(*(null.sd for null in model)) for model in zip(*(item.nulls for item in ratios), strict=True)]
    if widths[0] >= max(widths):
        return
    for items, ratio in zip(modules, ratios, strict=True):
        items["cosine", "none", 0] = ratio._replace(nulls=ratio.nulls[::-1])
        residual = items["orthogonal_fraction", "none", 0]
        if isinstance(residual, Residual):
            items["orthogonal_fraction", "none", 0] = residual._replace(
                cosine_variances=residual.cosine_variances[::-1]
            )
