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
    error_bars,
    formulas,
    kept,
    of_pairs,
)


def paths() -> Pipeline:
    """A loss along the way between two adapters."""
    return Pipeline(
        "connectivity",
        (
            *of_pairs("datum.loss === loss"),
            *error_bars("datum.value", "datum.se"),
            kept(*LOOK, "t", "value", *WHISKER),
        ),
        ("pairs",),
    )


def barriers() -> Pipeline:
    """The barrier of every path, and between 0 and its control a band."""
    control = "datum.barrier_of_shrinking"
    return Pipeline(
        "barriers",
        (
            *formulas(pair="datum.run_a + '--' + datum.run_b", value="datum.barrier"),
            *of_pairs("datum.loss === loss"),
            *error_bars("datum.barrier", "datum.barrier_se"),
            *formulas(
                low=f"isValid({control}) ? min(0, {control}) : null",
                high=f"isValid({control}) ? max(0, {control}) : null",
            ),
            kept(*LOOK, *BAND, *WHISKER),
        ),
        ("pairs",),
        bounds=FREE_BOUNDS,
    )


CHARTS = {"path": Chart(path_chart, paths()), "barriers": Chart(whisker_chart, barriers())}
