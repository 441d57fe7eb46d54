"""The chart of sparsity."""

from lossgeometry.charts.chart import Chart, Panel
from lossgeometry.charts.spread import bar_chart
from lossgeometry.charts.transforms import Pipeline, among, formulas, kept, of_runs

ROWS = (
    among("shown", "run"),
    *of_runs("indexof(shown, datum.run)"),
    *formulas(value="datum.small"),
    kept("id", "name", "line", "order", "value"),
)
CHARTS = {"sparsity": Chart(bar_chart, Pipeline("sparsity", ROWS, ("runs",)))}
PANELS = (
    Panel(
        "sparsity",
        "How many entries are small?",
        "Every run, beside its [[norm]].",
        table="sparsity",
        chart="sparsity",
        caption="share of small entries",
    ),
)
