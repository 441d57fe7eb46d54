"""The charts of the loss between adapters."""

from lossgeometry.charts.chart import Chart
from lossgeometry.charts.planes import path_chart
from lossgeometry.charts.spread import whisker_chart
from lossgeometry.charts.transforms import (
    BAND,
    FREE_BOUNDS,
    LOOK,
    WHISKER,
    Pipeline,
    formulas,
    kept,
    of_pairs,
)


def paths() -> Pipeline:
    """How far a loss along the way between two adapters lies above the straight line between its ends."""
    return Pipeline(
        "connectivity",
        (
            *of_pairs("datum.loss === loss"),
            *formulas(first="datum.t === 0 ? datum.value : null", last="datum.t === 1 ? datum.value : null"),
            {
                "type": "joinaggregate",
                "groupby": ["pair"],
                "ops": ["max", "max"],
                "fields": ["first", "last"],
                "as": ["start", "end"],
            },
            *formulas(
                excess="datum.value - (1 - datum.t) * datum.start - datum.t * datum.end", from_="null", to="null"
            ),
            kept(*LOOK, "t", *WHISKER, value="excess", measured="value"),
        ),
        ("pairs",),
    )


def barriers() -> Pipeline:
    """The height of the barrier on every path, and between 0 and the smallest effect a band."""
    return Pipeline(
        "barriers",
        (
            *formulas(pair="datum.run_a + '--' + datum.run_b", value="datum.difference"),
            *of_pairs("datum.loss === loss"),
            *formulas(from_="datum.difference_low", to="datum.difference_high", low="0", high="datum.smallest_effect"),
            kept(*LOOK, *BAND, *WHISKER),
        ),
        ("pairs",),
        bounds=FREE_BOUNDS,
    )


CHARTS = {"path": Chart(path_chart, paths()), "barriers": Chart(whisker_chart, barriers())}
