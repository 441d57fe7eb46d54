"""How wide a chance band is drawn, and how it is written: the same everywhere."""

import math

CHANCE_WIDTH = 1.96
"""Standard deviations on either side of the chance level that a band covers: 95 % where the null is normal."""


def decimals_of(spread: float) -> int:
    """Return how many decimals show two significant digits of a spread; 4 where it has none."""
    return max(1 - math.floor(math.log10(spread)), 0) if spread > 0 else 4


def band_text(mean: float, sd: float) -> str:
    """Return a chance level as text: its mean and the half-width of its band, which has two significant digits."""
    if math.isnan(mean) or math.isnan(sd):
        return "undefined"
    half = CHANCE_WIDTH * sd
    decimals = decimals_of(half)
    return f"{mean:.{decimals}f} ± {half:.{decimals}f}"
