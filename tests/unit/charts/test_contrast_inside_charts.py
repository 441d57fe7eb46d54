"""What is written on a cell can be read on its colour, in light and in dark: contrast of at least 4.5 (WCAG 2.2)."""

import pytest
import yaml

from lossgeometry.charts.maps import DARK, LIGHT, QUIET, QUIET_UP_TO, TURNS
from lossgeometry.charts.spread import TERM_COLOURS, TERM_INK
from lossgeometry.explorer.page import VERSION
from lossgeometry.provenance import SCRIPTS


def rgb(colour: str) -> list[float]:
    return [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]


def luminance(channels: list[float]) -> float:
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return sum(weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: list[float], other: list[float]) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def cell(similarity: float, dark: bool) -> list[float]:
    opposed, ground, same = map(rgb, DARK if dark else LIGHT)
    end = same if similarity > 0 else opposed
    return [start + (stop - start) * abs(similarity) for start, stop in zip(ground, end, strict=True)]


@pytest.mark.parametrize("dark", [False, True])
def test_a_number_can_be_read_on_every_cell(dark):
    low, high = TURNS[dark]
    inside, outside = ("#ffffff", "#000000") if dark else ("#000000", "#ffffff")
    for step in range(-1000, 1001):
        similarity = step / 1000
        ink = inside if low <= similarity <= high else outside
        assert contrast(rgb(ink), cell(similarity, dark)) >= 4.5, similarity
        if abs(similarity) < QUIET_UP_TO:
            assert contrast(rgb(QUIET[dark]), cell(similarity, dark)) >= 4.5, similarity


def test_a_share_can_be_read_on_its_bar():
    assert min(contrast(rgb(TERM_INK), rgb(colour)) for colour in TERM_COLOURS.values()) >= 4.5


def test_the_page_names_the_version_that_is_cited():
    assert yaml.safe_load((SCRIPTS.parents[1] / "CITATION.cff").read_text(encoding="utf-8"))["version"] == VERSION
