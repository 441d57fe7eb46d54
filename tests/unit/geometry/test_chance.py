"""One rule for what chance explains, and one width, wherever it is said."""

import re

import numpy as np
import pytest

from lossgeometry.explorer.assets import ASSET_FOLDER
from lossgeometry.geometry.chance import ABOVE, BELOW, INSIDE, NO_NULL, band, band_text, verdicts


@pytest.mark.parametrize(
    ("value", "mean", "sd", "verdict"),
    [
        (0.0, 0.0, 0.1, INSIDE),
        (0.196, 0.0, 0.1, INSIDE),  # the end of the band is inside
        (0.1961, 0.0, 0.1, ABOVE),
        (-0.1961, 0.0, 0.1, BELOW),
        (50.0, 60.0, 3.0, BELOW),  # an angle below chance is more alike, but its number is below
        (0.5, 0.5, 0.0, INSIDE),  # a null without spread holds its mean alone
        (0.6, 0.5, 0.0, ABOVE),
        (np.nan, 0.0, 0.1, NO_NULL),
        (0.3, np.nan, np.nan, NO_NULL),
        (0.3, 0.0, np.nan, NO_NULL),
        (np.inf, 0.0, 0.1, NO_NULL),
    ],
)
def test_the_verdict_of_one_value(value, mean, sd, verdict):
    assert verdicts(value, mean, sd) == verdict


def test_95_percent_of_a_normal_null_lie_inside():
    drawn = np.random.default_rng(0).normal(0.2, 0.05, 200_000)
    found = verdicts(drawn, np.full_like(drawn, 0.2), np.full_like(drawn, 0.05))
    assert np.mean(found == INSIDE) == pytest.approx(0.95, abs=0.002)


def test_the_verdict_turns_at_the_ends_of_the_band_that_is_drawn():
    low, high = band(0.1, 0.03)
    assert verdicts([low, high], 0.1, 0.03).tolist() == [INSIDE, INSIDE]
    assert verdicts([low - 1e-9, high + 1e-9], 0.1, 0.03).tolist() == [BELOW, ABOVE]


@pytest.mark.parametrize(
    ("mean", "sd", "text"),
    [
        (0.0, 0.1, "0.00 ± 0.20"),
        (0.0, 1.2e-7, "0.00000000 ± 0.00000024"),
        (61.04, 3.0, "61.0 ± 5.9"),
        (61.04, 30.0, "61 ± 59"),
        (0.5, 0.0, "0.5000 ± 0.0000"),
        (np.nan, 0.1, "undefined"),
        (0.1, np.nan, "undefined"),
    ],
)
def test_a_band_in_words_has_two_digits_of_its_width(mean, sd, text):
    assert band_text(mean, sd) == text


def test_the_page_has_no_width_of_its_own():
    for path in ASSET_FOLDER.glob("*.js"):
        assert not re.search(r"1\.96|null_sd", path.read_text(encoding="utf-8")), path.name
