"""95 % intervals of accuracies and of their differences that stay honest on small benchmarks: none has width zero.

All are conditional on the trained weights, but `crossed_seeds`, which takes the seeds of training as drawn too.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, stats

from lossgeometry.evaluation.statistics import ALPHA, mean_and_error, normal_quantile, student_quantile

UNDEFINED = (float("nan"), float("nan"))
CORRELATIONS = np.linspace(0.0, 1.0 - 1e-9, 41)
"""Where the beta-binomial likelihood is looked at first."""
ROUNDS = 6
NEAR, ABSENT = 0.08, 0.04
"""Levels of the two parts of `few_problems`: what problems of an absent kind are allowed covers nearly all misses on one side, so
that the likelihood may miss twice as often on the other."""


def wilson(share: float, trials: float, quantile: float | None = None) -> tuple[float, float]:
    """Wilson's score interval of a proportion; NaN without trials. Wilson 1927, doi:10.2307/2276774.

    Parameters
    ----------
    trials
        Number of independent trials, which need not be whole.
    quantile
        Half-width in standard errors; that of 95 % of a normal distribution unless given.
    """
    if not trials > 0:
        return UNDEFINED
    z = normal_quantile() if quantile is None else quantile
    centre = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z / (1 + z**2 / trials) * np.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    # At 0 and at all successes one limit is exactly the share; rounding must not push it past.
    low = 0.0 if share == 0 else centre - half
    high = 1.0 if share == 1 else centre + half
    return float(low), float(high)


def clustered(values: ArrayLike) -> tuple[float, float]:
    """Interval of the mean of one value in [0, 1] per problem: Wilson's, for the effective number of trials.

    That is the number of independent trials that would have the clustered standard error, and the number of problems
    where that error is zero. Student's quantile, as the error is estimated. NaN for fewer than two problems. Korn and
    Graubard 1998, Survey Methodology 24(2):193, with Wilson's interval in place of Clopper and Pearson's.
    """
    values = np.asarray(values, np.float64)
    if len(values) < 2:
        return UNDEFINED
    mean, error = mean_and_error(values)
    trials = mean * (1 - mean) / error**2 if error > 0 else len(values)
    return wilson(mean, trials, student_quantile(len(values)))


def beta_binomial(counts: ArrayLike, samples: int, alpha: float = ALPHA) -> tuple[float, float]:
    """Profile-likelihood interval of the mean of a beta-binomial distribution.

    For few problems: each has a chance of its own, drawn from a beta distribution, and `counts` of `samples` right
    answers. The likelihood ratio is compared with F(1, problems - 1), which is to the chi-square distribution what
    Student's is to the normal one. NaN for fewer than two problems. Williams 1975, doi:10.2307/2529820.
    """
    counts = np.asarray(counts, np.int64)
    if len(counts) < 2:
        return UNDEFINED
    likelihood = _BetaBinomial(counts, samples)
    best, top = likelihood.largest()
    level = top - stats.f.isf(alpha, 1, len(counts) - 1) / 2

    def root(outside: float) -> float:
        if likelihood.profile(outside) >= level:
            return outside
        inside = best if likelihood.profile(best) >= level else 1.0 - outside
        edge = outside + (1e-12 if outside == 0 else -1e-12)
        return optimize.brentq(lambda mean: likelihood.profile(mean) - level, edge, inside, xtol=1e-13)

    return float(root(0.0)), float(root(1.0))


def few_problems(counts: ArrayLike, samples: int) -> tuple[float, float]:
    """Interval of the mean over problems some of which may be of a kind that the sample does not hold.

    `beta_binomial` takes one beta distribution for all problems. A share of others, all of them right or all of them wrong, stays
    out of a sample with probability (1 - share)^problems. The limits are the furthest means, over all shares, at which the
    likelihood of the rest has used up one part of what `NEAR` allows it, and this probability the other part of what `ABSENT`
    allows. NaN for fewer than two problems.
    """
    counts = np.asarray(counts, np.int64)
    if len(counts) < 2:
        return UNDEFINED
    low, high = beta_binomial(counts, samples, NEAR)
    likelihood = _BetaBinomial(counts, samples)
    best, top = likelihood.largest()
    near, absent = (stats.f.isf(alpha, 1, len(counts) - 1) / 2 for alpha in (NEAR, ABSENT))

    def rest(mean: float) -> float:
        """Return the largest mean distance to 1 that others leave, as a factor: 1 - their share."""
        left = max(1.0 - (top - likelihood.profile(mean)) / near, 0.0)
        return float(np.exp(-left * absent / len(counts)))

    below = _least(lambda mean: rest(mean) * mean, low, best)
    above = _least(lambda mean: rest(mean) * (1.0 - mean), best, high)
    return below, 1.0 - above


def _least(value: Callable[[float], float], start: float, end: float) -> float:
    """Return the smallest value between two points, both included."""
    found = optimize.minimize_scalar(value, bounds=(start, end), method="bounded", options={"xatol": 1e-6})
    return float(min(found.fun, value(start), value(end)))


class _BetaBinomial:
    """Log-likelihood in the mean and the correlation of two samples of one problem, from 0 to 1; the last included."""

    def __init__(self, counts: NDArray[np.int64], samples: int) -> None:
        steps = np.arange(samples)
        self.right = (counts[:, None] > steps).sum(axis=0)
        self.wrong = (samples - counts[:, None] > steps).sum(axis=0)
        self.steps, self.problems = steps, len(counts)
        self.all_or_none = bool(np.isin(counts, (0, samples)).all())

    def at(self, mean: float, correlations: NDArray[np.float64]) -> NDArray[np.float64]:
        """Log-likelihood at some correlations below 1, up to a constant."""
        theta = (correlations / (1.0 - correlations))[:, None] * self.steps
        with np.errstate(divide="ignore", invalid="ignore"):
            right = np.where(self.right > 0, self.right * np.log(mean + theta), 0.0)
            wrong = np.where(self.wrong > 0, self.wrong * np.log(1.0 - mean + theta), 0.0)
        return (right + wrong - self.problems * np.log1p(theta)).sum(axis=1)

    def coarse(self, mean: float) -> NDArray[np.float64]:
        """Log-likelihood over a grid of correlations."""
        return self.at(mean, CORRELATIONS)

    def largest(self) -> tuple[float, float]:
        """Return the mean of the largest likelihood, and that."""
        grid = np.linspace(0.0, 1.0, 203)[1:-1]
        best = grid[np.argmax([self.coarse(mean).max() for mean in grid])]
        near = {"bounds": (max(best - 0.005, 0.0), min(best + 0.005, 1.0)), "options": {"xatol": 1e-10}}
        found = optimize.minimize_scalar(lambda mean: -self.profile(mean), method="bounded", **near)
        return max(((float(mean), self.profile(mean)) for mean in (found.x, 0.0, 1.0)), key=lambda pair: pair[1])

    def profile(self, mean: float) -> float:
        """Largest log-likelihood over the correlation, by a grid that closes in on it twentyfold each time."""
        grid = CORRELATIONS
        candidates = []
        for _ in range(ROUNDS):
            values = self.at(mean, grid)
            number = int(values.argmax())
            candidates.append(values[number])
            grid = np.linspace(grid[max(number - 1, 0)], grid[min(number + 1, len(grid) - 1)], len(grid))
        if self.all_or_none:  # the limit of one draw per problem
            with np.errstate(divide="ignore"):
                right, wrong = int(self.right[0]), int(self.wrong[0])
                candidates.append(
                    (right * np.log(mean) if right else 0.0) + (wrong * np.log1p(-mean) if wrong else 0.0)
                )
        return float(max(candidates))


class Paired(NamedTuple):
    """A mean paired difference; `error` and `p` are those of the interval."""

    difference: float
    low: float
    high: float
    error: float
    p: float


def paired(differences: ArrayLike) -> Paired:
    """Interval of the mean of one difference per problem, each in [-1, 1].

    Wald's interval after two more problems, one for each side, that differ as much as the largest difference seen (by 1
    where none differs): Bonett and Price 2012, doi:10.3102/1076998611411915, whose interval it is for single answers,
    recommended by Fagerland et al. 2014, doi:10.1002/sim.6148. NaN for fewer than two problems.
    """
    differences = np.asarray(differences, np.float64)
    if len(differences) < 2:
        return Paired(float(differences.mean()) if len(differences) else float("nan"), *UNDEFINED, *UNDEFINED)
    largest = np.abs(differences).max() or 1.0
    number = len(differences) + 2
    centre = differences.sum() / number
    error = np.sqrt(((np.square(differences).sum() + 2 * largest**2) / number - centre**2) / number)
    half = normal_quantile() * error
    limits = max(-1.0, centre - half), min(1.0, centre + half)
    p = 2.0 * stats.norm.sf(abs(centre) / error)
    return Paired(float(differences.mean()), float(limits[0]), float(limits[1]), float(error), float(p))


def fieller(numerator: NDArray[np.float64], denominator: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return the ratio of two paired means, one value of each per problem, and its 95 % interval.

    Fieller 1954, doi:10.1111/j.2517-6161.1954.tb00159.x, with Student's quantile. All are NaN for fewer than two problems, and
    where the denominator's own interval holds zero: the ratio may then be anything.
    """
    count = len(numerator)
    if count < 2:
        return float("nan"), *UNDEFINED
    top, bottom = float(np.mean(numerator)), float(np.mean(denominator))
    (top_variance, shared), (_, bottom_variance) = np.cov(numerator, denominator) / count
    square = student_quantile(count) ** 2
    spare = bottom**2 - square * bottom_variance
    if spare <= 0:
        return float("nan"), *UNDEFINED
    centre = top * bottom - square * shared
    half = float(np.sqrt(max(centre**2 - spare * (top**2 - square * top_variance), 0.0)))
    return top / bottom, (centre - half) / spare, (centre + half) / spare


class Crossed(NamedTuple):
    """A mean over seeds and problems, with an interval for other seeds and other problems."""

    mean: float
    low: float
    high: float
    error: float
    freedom: float
    """Degrees of freedom of `error`; two seeds that differ leave little more than 1."""
    between_seeds: float
    """Standard deviation between seeds beyond what their problems explain."""


def crossed_seeds(values: ArrayLike) -> Crossed:
    """Hierarchical interval from (seeds, problems), samples averaged: both seeds and problems are taken as drawn.

    Variance components of the two-way layout without replication; a negative one counts as zero. Satterthwaite's degrees
    of freedom. Searle, Casella and McCulloch 1992, chapter 4; doi:10.2307/3002019. NaN for fewer than two of either.
    """
    values = np.asarray(values, np.float64)
    seeds, problems = values.shape
    mean = values.mean()
    if seeds < 2 or problems < 2:
        return Crossed(float(mean), *UNDEFINED, *UNDEFINED, float("nan"))
    by_seed, by_problem = values.mean(axis=1), values.mean(axis=0)
    freedoms = np.array([seeds - 1, problems - 1, (seeds - 1) * (problems - 1)], np.float64)
    rest = np.square(values - by_seed[:, None] - by_problem + mean).sum() / freedoms[2]
    squares = np.array([problems * by_seed.var(ddof=1), seeds * by_problem.var(ddof=1), rest])
    squares[:2] = np.maximum(squares[:2], rest)
    variance = (squares[0] + squares[1] - squares[2]) / values.size
    between = np.sqrt((squares[0] - squares[2]) / problems)
    if variance == 0:
        return Crossed(float(mean), *UNDEFINED, 0.0, float("nan"), float(between))
    freedom = (variance * values.size) ** 2 / (squares**2 / freedoms).sum()
    error = np.sqrt(variance)
    half = stats.t.isf(ALPHA / 2, freedom) * error
    return Crossed(*map(float, (mean, mean - half, mean + half, error, freedom, between)))
