"""The one rule for what chance explains: a value within 1.96 standard deviations of its null's mean.

95 % of values fall there where the null is normal. Everything that shows a chance level, or says that a similarity is
more than chance, goes by this width.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

WIDTH = 1.96
INSIDE, ABOVE, BELOW, NO_NULL = "inside chance", "above chance", "below chance", ""


def band(null_mean: ArrayLike, null_sd: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the two ends of the chance band, of the shape of the arguments; NaN where there is no null."""
    mean, half = np.asarray(null_mean, np.float64), WIDTH * np.asarray(null_sd, np.float64)
    return mean - half, mean + half


def highest(null_mean: ArrayLike, null_sd: ArrayLike) -> float:
    """Return the upper end of the highest of several chance bands; NaN where none has a null."""
    return float(np.fmax.reduce(band(null_mean, null_sd)[1]))


def band_text(null_mean: float, null_sd: float) -> str:
    """Return a chance band as text: its mean and half its width, which has two significant digits."""
    if math.isnan(null_mean) or math.isnan(null_sd):
        return "undefined"
    half = WIDTH * null_sd
    decimals = decimals_of(half)
    return f"{null_mean:.{decimals}f} ± {half:.{decimals}f}"


def decimals_of(spread: float) -> int:
    """Return how many decimals show two significant digits of a spread; 4 where it has none."""
    return max(1 - math.floor(math.log10(spread)), 0) if spread > 0 else 4


def verdicts(value: ArrayLike, null_mean: ArrayLike, null_sd: ArrayLike) -> NDArray[np.str_]:
    """Return `INSIDE`, `ABOVE` or `BELOW` for every value; `NO_NULL` where the value or its null is undefined.

    A null without spread (standard deviation 0) has only its mean inside. Above and below are those of the number, not
    of the similarity: an angle below chance is more alike.
    """
    value = np.asarray(value, np.float64)
    low, high = band(null_mean, null_sd)
    known = np.isfinite(value) & np.isfinite(low) & np.isfinite(high)
    return np.select([~known, value < low, value > high], [NO_NULL, BELOW, ABOVE], INSIDE)
