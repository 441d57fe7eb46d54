"""Intervals over sequences from repeated half-samples.

The repeated half-sample bootstrap (Saigo, Shao and Sitter, A Repeated Half-Sample Bootstrap and Balanced Repeated
Replications, Survey Methodology 27, 2001) draws half of the units without replacement and takes each twice. The spread
of a statistic over half-samples estimates its spread over samples without any rescaling, as 1 / (S/2) - 1 / S = 1 / S.
An ordinary bootstrap would hold the same token several times, which the unbiased HSIC, a sum over distinct tokens, is
not made for.
"""

import numpy as np

LEVEL = 0.95


def half_samples(sequences: int, draws: int, seed: int) -> np.ndarray:
    """Return indicators of all sequences (column 0) and of random halves of them, (sequences, 1 + draws), float64.

    An odd number of sequences is halved downwards, which widens the interval by the factor sqrt((S + 1) / (S - 1)).
    """
    generator = np.random.default_rng(seed)
    subsets = np.zeros((sequences, 1 + draws))
    subsets[:, 0] = 1
    for column in range(1, 1 + draws):
        subsets[generator.permutation(sequences)[: sequences // 2], column] = 1
    return subsets


def interval(values: np.ndarray, lowest: float, highest: float) -> tuple[float, float, float]:
    """Return the value on all sequences and the ends of its 95 % interval over sequences.

    The quantiles of the half-samples are moved so that their mean is the value: an estimator whose bias depends on the
    sample's size, as that of biased CKA does, is shifted on halves, but not wider.

    Parameters
    ----------
    values
        (1 + draws,): on all sequences, then on each half.
    lowest, highest
        What the statistic can be at all; the interval is cut there.

    Returns
    -------
    value, low, high; the ends are NaN where a half has no value.
    """
    value, halves = float(values[0]), values[1:]
    if not np.isfinite(halves).all():
        return value, float("nan"), float("nan")
    tail = (1 - LEVEL) / 2
    low, high = value + np.quantile(halves, [tail, 1 - tail]) - halves.mean()
    return value, float(max(low, lowest)), float(min(high, highest))
