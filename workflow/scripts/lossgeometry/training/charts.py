"""The chart of the training curves."""

from lossgeometry.charts.chart import Chart
from lossgeometry.charts.planes import training_chart
from lossgeometry.charts.transforms import Pipeline, among, filtered, kept, of_runs


def training_curves() -> Pipeline:
    """A training curve of every run shown that logged it."""
    return Pipeline(
        "training",
        (
            filtered("datum.quantity === quantity"),
            among("shown", "run"),
            *of_runs("indexof(shown, datum.run)"),
            kept("id", "name", "line", "dash", "order", "step", "value"),
        ),
        ("runs",),
    )


CHARTS = {"training": Chart(training_chart, training_curves())}
