"""The chart of what the edits do."""

from lossgeometry.charts.chart import Chart, Panel
from lossgeometry.charts.spread import whisker_chart
from lossgeometry.charts.transforms import (
    BANDLESS,
    FREE_BOUNDS,
    NO_BAND,
    WHISKER,
    Pipeline,
    filtered,
    formulas,
    kept,
    of_runs,
)


def changes() -> Pipeline:
    """The change of accuracy of every edit from the base, with its interval."""
    return Pipeline(
        "edit_effects",
        (
            filtered("datum.question === 'edits against base' && datum.most_precise && datum.benchmark === benchmark"),
            *formulas(run="datum.run_b"),
            *of_runs("datum.run_b"),
            *formulas(value="datum.difference", from_="datum.low", to="datum.high", dot="datum.line"),
            *NO_BAND,
            kept("id", "name", "line", "dot", "order", "value", *WHISKER, **BANDLESS),
        ),
        ("runs",),
        bounds=FREE_BOUNDS,
    )


CHARTS = {"edits": Chart(whisker_chart, changes())}
PANELS = (
    Panel(
        "edits",
        "Which part of an update does the work?",
        "Each edit is an adapter computed from others and tested like any run: its accuracy less the base's, on the same"
        " problems. The table edit_effects.csv has it beside its parent and beside random directions of equal"
        " singular values.",
        table="edit_effects",
        chart="edits",
        caption="difference to the base; whiskers: 95 % over problems",
        select="benchmark",
    ),
)
