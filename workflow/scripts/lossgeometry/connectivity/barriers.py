"""Losses along a path over its chord, with standard errors, and the closed-form norm under it.

L(t) is the mean over sequences of the per-token loss of each sequence, so every difference of losses is a mean of
paired differences by sequence, whose standard error follows without a model of how the losses of one sequence depend on
each other.
"""

from typing import NamedTuple

import numpy as np


class Largest(NamedTuple):
    """The largest of some mean differences."""

    value: float
    """Nats per token."""
    se: float
    """Standard error at ``t``, paired by sequence; it does not count that t was chosen as the largest."""
    t: float
    """Where the difference is largest; the first such t."""


def mean_and_error(losses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean over sequences (last axis) and its standard error; NaN with fewer than two sequences."""
    count = losses.shape[-1]
    if count < 2:
        return losses.mean(axis=-1), np.full(losses.shape[:-1], np.nan)
    return losses.mean(axis=-1), losses.std(axis=-1, ddof=1) / np.sqrt(count)


def over_chord(points: np.ndarray, losses: np.ndarray) -> np.ndarray:
    """Return L(t) - ((1 - t) L(0) + t L(1)) of every sequence, (points, sequences).

    Its largest mean is the barrier of Entezari et al., The Role of Permutation Invariance in Linear Mode Connectivity of
    Neural Networks, ICLR 2022, eq. 1 (arXiv 2110.06296).

    Parameters
    ----------
    points
        (points,), with 0 and 1 among them.
    losses
        (points, sequences).
    """
    weight = points[:, None]
    return losses - ((1 - weight) * _at(points, losses, 0.0) + weight * _at(points, losses, 1.0))


def mean_barrier(points: np.ndarray, losses: np.ndarray) -> Largest:
    """Return max over t in [0, 1] of L(t) - (L(0) + L(1)) / 2.

    Frankle et al., Linear Mode Connectivity and the Lottery Ticket Hypothesis, ICML 2020, section 2 (arXiv 1912.05671).
    It reads a difference between the two ends as a barrier. Arguments as for `over_chord`.
    """
    over_mean = losses - (_at(points, losses, 0.0) + _at(points, losses, 1.0)) / 2
    considered = (points >= 0) & (points <= 1)
    mean, error = mean_and_error(over_mean[considered])
    best = int(np.argmax(mean))
    return Largest(float(mean[best]), float(error[best]), float(points[considered][best]))


def _at(points: np.ndarray, losses: np.ndarray, t: float) -> np.ndarray:
    return losses[int(np.flatnonzero(points == t)[0])]


def path_norms(points: np.ndarray, norm_a: float, norm_b: float, inner: float) -> np.ndarray:
    """Return the Frobenius norm of (1 - t) dW_a + t dW_b from the norms and the inner product of the two updates."""
    squared = ((1 - points) * norm_a) ** 2 + 2 * points * (1 - points) * inner + (points * norm_b) ** 2
    return np.sqrt(np.maximum(squared, 0.0))
