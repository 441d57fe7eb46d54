"""The charts of what the edits do."""

from lossgeometry.charts.chart import Chart, Panel
from lossgeometry.charts.maps import effects_map
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


def direction_by_norm() -> Pipeline:
    """The change of accuracy from the base of every direction at every norm that edits combine."""
    return Pipeline(
        "direction_by_norm",
        (
            filtered(
                "datum.question === 'one direction at one norm' && datum.most_precise && datum.benchmark === benchmark"
            ),
            *formulas(size="abs(datum.difference)"),
            {"type": "joinaggregate", "ops": ["max"], "fields": ["size"], "as": ["largest"]},
            {
                "type": "lookup",
                "from": "runs",
                "key": "id",
                "fields": ["direction", "norm_of"],
                "as": ["first", "second"],
            },
            *formulas(
                row="datum.first.name",
                column="datum.second.name",
                row_order="indexof(arranged, datum.direction)",
                column_order="indexof(arranged, datum.norm_of)",
                similarity="datum.difference / (datum.largest || 1)",
                inside="datum.verdict !== 'different'",
                text="format(100 * datum.difference, '+.1f')",
                interval="format(100 * datum.low, '+.1f') + ' to ' + format(100 * datum.high, '+.1f')",
            ),
            kept(
                *("row", "column", "row_order", "column_order", "text", "interval", "similarity", "inside", "verdict"),
                value="difference",
            ),
        ),
        ("runs",),
        along=("value",),
    )


CHARTS = {
    "edits": Chart(whisker_chart, changes()),
    "direction_by_norm": Chart(effects_map, direction_by_norm()),
}
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
    Panel(
        "direction_by_norm",
        "Is it the direction or the size?",
        "The update of one run at the [[norm|norm]] of another: accuracy less the base's, in points, with 95 % intervals over the"
        " same problems. Down a column the direction changes at one norm, along a row the norm in one direction. The table"
        " `direction_by_norm.csv` tests these against one another.",
        table="direction_by_norm",
        chart="direction_by_norm",
        caption="difference to the base in points; in italics: not told from none, after correction",
        select="benchmark",
        inked=True,
    ),
)
