"""The chart of the accuracies."""

from lossgeometry.charts.chart import Chart
from lossgeometry.charts.spread import accuracy_chart
from lossgeometry.charts.transforms import WHISKER, Pipeline, filtered, formulas, kept, of_runs


def accuracies() -> Pipeline:
    """Accuracies with their intervals; the base is among them, and in every row."""
    of_base = formulas(
        **{f"base_{name}": f"datum.run === 'base' ? datum.{name} : null" for name in ("accuracy", "low", "high")}
    )
    ends = ["base_accuracy", "base_low", "base_high"]
    return Pipeline(
        "accuracy",
        (
            filtered("datum.benchmark === benchmark && datum.decoding === decoding"),
            *of_base,
            {"type": "joinaggregate", "ops": ["max"] * 3, "fields": ends, "as": ["base", "base_from", "base_to"]},
            filtered("datum.run === 'base' || indexof(shown, datum.run) >= 0"),
            *of_runs("indexof(shown, datum.run)"),
            *formulas(value="datum.accuracy", from_="datum.low", to="datum.high"),
            kept(
                *("id", "name", "line", "order", "value", *WHISKER, "base", "base_from", "base_to"),
                *("truncation_rate", "no_answer_rate"),
            ),
        ),
        ("runs",),
    )


CHARTS = {"accuracy": Chart(accuracy_chart, accuracies())}
