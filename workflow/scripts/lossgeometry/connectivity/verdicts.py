"""Whether a loss barrier lies between two updates: one test and one verdict, for every reader.

A barrier is a path that rises above its chord, and by more than shrinking both updates would alone, at one t. With
e(t) the excess of the loss over the chord and c(t) that of the shrinkage control, both means of differences paired by
sequence, the height of the barrier is max over 0 < t < 1 of min(e(t), e(t) - c(t)). Its interval and its p-value come
from bootstrap-t over sequences: the largest of all studentised deviations of e and of e - c at any t (max-t; Westfall
and Young, Resampling-Based Multiple Testing, 1993, section 2.6), so that choosing t as the largest is paid for.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lossgeometry.connectivity.barriers import mean_and_error
from lossgeometry.evaluation.statistics import holm

BARRIER, NO_BARRIER, CANNOT_TELL = "barrier", "no barrier", "cannot tell"
LEVEL = 0.05
FEWEST_SEQUENCES = 8
"""Sequences below which a bootstrap over them says nothing."""
DRAWS, DRAWS_PER_PAIR = 10_000, 100
"""Bootstrap samples: at least the first, and so many for every pair that Holm's correction is over."""
BLOCK = 2_000
"""Bootstrap samples held at a time."""


class Height(NamedTuple):
    """How far a path rises above its chord and above its shrinkage control; NaN where that is undefined."""

    t: float = np.nan
    """Where it rises furthest above both."""
    excess: float = np.nan
    """Excess over the chord at ``t``, nats per token, negative where the path lies below it."""
    excess_se: float = np.nan
    control: float = np.nan
    """What shrinking both updates does at ``t``."""
    difference: float = np.nan
    """min(excess, excess - control) at ``t``: the height of the barrier."""
    difference_se: float = np.nan
    difference_low: float = np.nan
    """95 % interval of the height, which counts that t was chosen as the largest."""
    difference_high: float = np.nan
    smallest_effect: float = np.nan
    """The height from which a barrier counts."""
    p: float = np.nan
    """Of a barrier no higher than the smallest effect, two-sided."""
    reason: str = ""
    """Why there is no interval."""


def height(points: np.ndarray, excess: np.ndarray, control: np.ndarray, smallest: float, draws: int) -> Height:
    """Return the height of one path, with its interval.

    Parameters
    ----------
    points
        (points,), those with 0 < t < 1.
    excess, control
        (points, sequences), as from `barriers.over_chord` and `paths.shrinkage_control`.
    smallest
        The height from which a barrier counts, nats per token.
    draws
        Bootstrap samples of the sequences.
    """
    if len(points) == 0:
        return Height(smallest_effect=smallest, reason="no point between the ends: add some to connectivity.points")
    if not (np.isfinite(excess).all() and np.isfinite(control).all()):
        return Height(smallest_effect=smallest, reason="a loss on the path is not finite")
    both = np.stack([excess, excess - control])  # (2, points, sequences)
    mean, error = mean_and_error(both)
    lower = np.argmin(mean, axis=0)
    best = int(np.argmax(mean.min(axis=0)))
    found = Height(
        t=float(points[best]),
        excess=float(mean[0, best]),
        excess_se=float(error[0, best]),
        control=float(control[best].mean()),
        difference=float(mean[lower[best], best]),
        difference_se=float(error[lower[best], best]),
        smallest_effect=smallest,
    )
    if excess.shape[1] < FEWEST_SEQUENCES:
        reason = f"fewer than {FEWEST_SEQUENCES} sequences: raise connectivity.sequences, or provide more problems"
        return found._replace(reason=reason)
    above, below = _largest_deviations(both.reshape(-1, both.shape[-1]), draws)
    tail = 1 - LEVEL / 2
    low = (mean - np.quantile(above, tail) * error).min(axis=0).max()
    high = (mean + np.quantile(below, tail) * error).min(axis=0).max()
    with np.errstate(divide="ignore"):
        reached = np.nan_to_num((mean - smallest) / error, nan=-np.inf, posinf=np.inf, neginf=-np.inf)
    exceeding = (1 + (above >= reached.min(axis=0).max()).sum()) / (1 + draws)
    return found._replace(difference_low=float(low), difference_high=float(high), p=float(min(1.0, 2 * exceeding)))


def _largest_deviations(values: np.ndarray, draws: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest studentised deviation upwards and downwards of the means of some quantities, 2 of (draws,).

    Parameters
    ----------
    values
        (quantities, sequences).
    draws
        Bootstrap samples of the sequences.
    """
    count = values.shape[1]
    varying = values.std(axis=1) > 1e-12 * np.abs(values).max(axis=1)
    if not varying.any():
        return np.zeros(draws), np.zeros(draws)
    centred = (values - values.mean(axis=1, keepdims=True))[varying].T  # (sequences, quantities)
    generator = np.random.default_rng(0)
    above, below = [], []
    for start in range(0, draws, BLOCK):
        chosen = generator.multinomial(count, np.full(count, 1 / count), size=min(BLOCK, draws - start)) / count
        mean = chosen @ centred
        error = np.sqrt(np.maximum(chosen @ centred**2 - mean**2, 0) / (count - 1))
        # A sample of one sequence over and over has no error: it deviates without bound.
        with np.errstate(divide="ignore", invalid="ignore"):
            studentised = np.where(mean == 0, 0.0, mean / error)
        above.append(studentised.max(axis=1))
        below.append((-studentised).max(axis=1))
    return np.concatenate(above), np.concatenate(below)


def draws_for(pairs: int) -> int:
    """Return the bootstrap samples with which Holm's correction over so many pairs can still find a barrier."""
    return max(DRAWS, DRAWS_PER_PAIR * pairs)


def verdicts(heights: Sequence[Height]) -> list[tuple[float, str, str]]:
    """Return p after Holm, the verdict and its reason for every pair of one loss.

    `barrier`: higher than the smallest effect after Holm over the pairs. `no barrier`: the 95 % interval lies below the
    smallest effect. `cannot tell`: neither; the reason says why.
    """
    p = np.array([one.p for one in heights])
    tested = np.isfinite(p)
    corrected = np.full(len(p), np.nan)
    corrected[tested] = holm(p[tested])
    return [(float(value), *_verdict(one, value, tested.sum())) for one, value in zip(heights, corrected, strict=True)]


def _verdict(one: Height, p_holm: float, pairs: int) -> tuple[str, str]:
    if np.isnan(p_holm):
        return CANNOT_TELL, one.reason
    if p_holm < LEVEL:
        return BARRIER, ""
    if one.difference_high < one.smallest_effect:
        return NO_BARRIER, ""
    if one.p < LEVEL:
        return CANNOT_TELL, f"higher than the smallest effect by itself, but not after Holm over {pairs} pairs"
    return CANNOT_TELL, "the interval holds the smallest effect: more connectivity.sequences narrow it"
