"""Estimates of accuracies, tests of their differences, and what a benchmark of this size can see at all."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

CONFIDENCE = 0.95
POWER = 0.80
ALPHA = 1.0 - CONFIDENCE


def normal_quantile() -> float:
    """Half-width of a 95 % normal interval in standard errors."""
    return float(stats.norm.isf(ALPHA / 2))


def student_quantile(problems: int) -> float:
    """The same where the standard error was estimated from so many problems, at least two."""
    return float(stats.t.isf(ALPHA / 2, problems - 1))


def mcnemar(b: int, c: int) -> float:
    """Two-sided p of the exact McNemar test: b problems only the first solves, c only the second.

    The binomial test of b among b + c; 1 without discordant problems. McNemar 1947, doi:10.1007/BF02295996.
    """
    return float(min(1.0, 2.0 * stats.binom.cdf(min(b, c), b + c, 0.5)))


def discordant(first: ArrayLike, second: ArrayLike) -> tuple[int, int]:
    """(b, c) of two boolean arrays over the same problems: only the first is right, only the second is."""
    first, second = np.asarray(first, bool), np.asarray(second, bool)
    return int((first & ~second).sum()), int((~first & second).sum())


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Holm's step-down adjusted p-values, in the given order; NaN stays NaN and is no part of the family.

    Holm 1979, https://www.jstor.org/stable/4615733.
    """
    p_values = np.asarray(p_values, np.float64)
    adjusted = np.full(p_values.shape, np.nan)
    present = np.flatnonzero(~np.isnan(p_values))
    order = present[np.argsort(p_values[present], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(factors * p_values[order]))
    return adjusted


def average_at_k(correct: ArrayLike) -> tuple[float, float]:
    """Mean and standard error of the accuracy over (problems, samples), with problems as clusters.

    Samples of one problem are not independent: the error is that of the mean over problems of their share of correct
    samples. One problem gives an error of NaN. Miller 2024, arXiv:2411.00640.
    """
    return mean_and_error(np.asarray(correct, np.float64).mean(axis=1))


def mean_and_error(values: ArrayLike) -> tuple[float, float]:
    """Mean of one value per problem and its standard error (NaN for fewer than two problems)."""
    values = np.asarray(values, np.float64)
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return float(values.mean()), float(error)


def pass_at_k(correct: ArrayLike, k: int) -> NDArray[np.float64]:
    """Unbiased estimate, for each problem, of the chance that at least one of k samples is right.

    1 - C(n - c, k) / C(n, k), from (problems, samples >= k). Chen et al. 2021, arXiv:2107.03374, equation 1.
    """
    correct = np.asarray(correct, bool)
    samples = correct.shape[1]
    if not 1 <= k <= samples:
        raise ValueError(
            f"pass@{k} needs at least {k} samples of each problem and k >= 1; there are {samples} samples."
        )
    wrong = samples - correct.sum(axis=1)
    # C(wrong, k) / C(samples, k) as a product of factors below 1: no big integers, and 0 where wrong < k.
    factors = (wrong[:, None] - np.arange(k)) / (samples - np.arange(k))
    return 1.0 - np.clip(factors, 0.0, None).prod(axis=1)


def mcnemar_power(problems: int, discordance: float, difference: float, level: float = ALPHA) -> float:
    """Chance that the exact test at `level` rejects, when a share `discordance` of problems is solved by one run only
    and the accuracies differ by `difference` (at most `discordance`)."""
    discordant_counts = np.arange(problems + 1)
    weights = stats.binom.pmf(discordant_counts, problems, discordance)
    seen = weights > 1e-12
    counts, weights = discordant_counts[seen], weights[seen]
    # Largest tail count that is still significant; ppf returns the first count that is too many.
    critical = stats.binom.ppf(level / 2, counts, 0.5)
    critical -= stats.binom.cdf(critical, counts, 0.5) > level / 2
    towards = 0.5 * (1.0 + difference / discordance) if discordance > 0 else 0.5
    rejects = stats.binom.cdf(critical, counts, 1.0 - towards) + stats.binom.cdf(critical, counts, towards)
    return float((weights * rejects).sum())


def minimum_detectable_accuracy_difference(problems: int, discordance: float, level: float = ALPHA) -> float:
    """Smallest true difference of two accuracies that the exact McNemar test finds with 80 % chance at `level`.

    `discordance` is the share of problems that one of two runs solves alone; a larger difference than that needs more
    discordant problems, all on one side. NaN when even a difference of 1 would be missed (at 5 %, fewer than 6 problems).
    """
    if problems == 0 or mcnemar_power(problems, 1.0, 1.0, level) < POWER:
        return float("nan")
    low, high = 0.0, 1.0
    while high - low > 1e-5:
        middle = (low + high) / 2
        if mcnemar_power(problems, max(discordance, middle), middle, level) < POWER:
            low = middle
        else:
            high = middle
    return high


def minimum_detectable_mean_difference(error: float, level: float = ALPHA) -> float:
    """The same for sampled accuracies, from the clustered standard error of a paired difference (normal theory)."""
    return float((stats.norm.isf(level / 2) + stats.norm.isf(1.0 - POWER)) * error)
