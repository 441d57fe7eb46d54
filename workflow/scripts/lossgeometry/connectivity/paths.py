"""The path of one pair, put together from its inner points and its two shared ends, and what is read off it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lossgeometry.connectivity.barriers import chord_barrier, inner_excess, mean_and_error, mean_barrier, path_norms
from lossgeometry.connectivity.endpoints import EndPoint
from lossgeometry.updates.update import Update

CURVE_COLUMNS = ("loss", "t", "value", "se", "norm")
BARRIER_COLUMNS = (
    "loss",
    "loss_a",
    "loss_b",
    "loss_base",
    "barrier",
    "barrier_se",
    "barrier_t",
    "barrier_of_shrinking",
    "inner_excess",
    "inner_excess_se",
    "frankle",
    "frankle_se",
    "frankle_t",
)


@dataclass(frozen=True)
class Lengths:
    """Norms and inner product of two updates over all modules, Frobenius."""

    a: float
    b: float
    inner: float


def lengths_of(a: Update, b: Update) -> Lengths:
    """Return norms and inner product of two updates."""
    return Lengths(np.sqrt(a.inner(a)), np.sqrt(b.inner(b)), a.inner(b))


def path_norm_at(t: float, lengths: Lengths) -> float:
    """Return the norm of (1 - t) dW_a + t dW_b."""
    return float(path_norms(np.array([t]), lengths.a, lengths.b, lengths.inner)[0])


def curve_rows(loss: str, points: np.ndarray, losses: np.ndarray, lengths: Lengths) -> list[tuple]:
    """Return the rows of `CURVE_COLUMNS` from the losses on the whole grid, (points, sequences)."""
    mean, error = mean_and_error(losses)
    norms = path_norms(points, lengths.a, lengths.b, lengths.inner)
    return [(loss, *map(float, row)) for row in zip(points, mean, error, norms, strict=True)]


def barrier_row(
    loss: str, points: np.ndarray, losses: np.ndarray, lengths: Lengths, a: EndPoint, b: EndPoint, base: EndPoint
) -> tuple:
    """Return the row of `BARRIER_COLUMNS`.

    `barrier_of_shrinking` is the control: (1 - c) of each end's way back to the base, taken by each end alone, where c
    is the norm of the path over (1 - t) norm(dW_a) + t norm(dW_b), at the t of the barrier. c is 1 for colinear updates
    and 0.71 in the middle between orthogonal ones of one length. A barrier above the control is more than the effect of
    a shorter update.
    """
    mean, _ = mean_and_error(losses)
    entezari, frankle = chord_barrier(points, losses), mean_barrier(points, losses)
    inner = inner_excess(points, losses)
    t, share = entezari.t, shrinkage(entezari.t, lengths)
    ends = [float(mean[int(np.flatnonzero(points == end)[0])]) for end in (0.0, 1.0)]
    shrunk = [_loss_at_multiple(end, base, share) for end in (a, b)]
    control = (1 - t) * (shrunk[0] - ends[0]) + t * (shrunk[1] - ends[1])
    return (
        loss,
        *ends,
        float(base.at(0.0).mean()),
        *(entezari.value, entezari.se, entezari.t),
        control,
        *(inner.value, inner.se),
        *(frankle.value, frankle.se, frankle.t),
    )


def shrinkage(t: float, lengths: Lengths) -> float:
    """Return norm((1 - t) dW_a + t dW_b) / ((1 - t) norm(dW_a) + t norm(dW_b)), in [0, 1]; 1 where both updates are
    zero."""
    straight = (1 - t) * lengths.a + t * lengths.b
    return min(1.0, path_norm_at(t, lengths) / straight) if straight > 0 else 1.0


def _loss_at_multiple(end: EndPoint, base: EndPoint, multiple: float) -> float:
    """Return the loss of an update alone at a multiple of itself in [0, 1], linear between the measured multiples."""
    multiples = np.concatenate([base.multiples, end.multiples])
    means = np.concatenate([base.losses, end.losses]).mean(axis=1)
    return float(np.interp(multiple, multiples, means))


def whole_grid(
    points: Sequence[float], inner: Sequence[float], inner_losses: np.ndarray, a: EndPoint, b: EndPoint
) -> np.ndarray:
    """Return the losses on the whole grid, (points, sequences), from those measured for the pair and its shared
    ends."""
    by_point: Mapping[float, np.ndarray] = {
        **dict(zip(inner, inner_losses, strict=True)),
        0.0: a.at(1.0),
        1.0: b.at(1.0),
    }
    return np.stack([by_point[point] for point in points])
