"""The one rule for what chance explains: a value within 1.96 standard deviations of its null's mean.

95 % of values fall there where the null is normal. Everything that shows a chance level, or says that a similarity is
more than chance, goes by this width.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

WIDTH = 1.96
INSIDE, ABOVE, BELOW, NO_NULL = "inside chance", "above chance", "below chance", ""


def band(null_mean: ArrayLike, null_sd: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the two ends of the chance band, of the shape of the arguments; NaN where there is no null."""
    mean, half = np.asarray(null_mean, np.float64), WIDTH * np.asarray(null_sd, np.float64)
    return mean - half, mean + half


def verdicts(value: ArrayLike, null_mean: ArrayLike, null_sd: ArrayLike) -> NDArray[np.str_]:
    """Return `INSIDE`, `ABOVE` or `BELOW` for every value; `NO_NULL` where the value or its null is undefined.

    A null without spread (standard deviation 0) has only its mean inside. Above and below are those of the number, not
    of the similarity: an angle below chance is more alike.
    """
    value = np.asarray(value, np.float64)
    low, high = band(null_mean, null_sd)
    known = np.isfinite(value) & np.isfinite(low) & np.isfinite(high)
    return np.select([~known, value < low, value > high], [NO_NULL, BELOW, ABOVE], INSIDE)
