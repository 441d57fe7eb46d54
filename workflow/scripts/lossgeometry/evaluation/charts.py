"""The chart of the accuracies."""

from lossgeometry.charts.chart import Chart
from lossgeometry.charts.spread import accuracy_chart, whisker_chart
from lossgeometry.charts.transforms import FREE_BOUNDS, WHISKER, Pipeline, filtered, formulas, kept, of_runs

KIND = [{"type": "lookup", "from": "runs", "key": "id", "fields": ["run"], "values": ["arm", "label"]}]
SHOWN = "(indexof(shown, datum.run) >= 0 || (datum.arm === 'control' && indexof(off, datum.label) < 0))"
PLACE = "indexof(arranged, datum.run) + (datum.arm === 'control' ? 1000 : 0)"
"""Controls stand below the runs whatever is chosen: what they do to the accuracy is what chance does."""


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
            *KIND,
            filtered(f"datum.run === 'base' || {SHOWN}"),
            *of_runs(PLACE),
            *formulas(value="datum.accuracy", from_="datum.low", to="datum.high"),
            kept(
                *("id", "name", "line", "order", "value", *WHISKER, "base", "base_from", "base_to"),
                *("truncation_rate", "no_answer_rate"),
            ),
        ),
        ("runs",),
    )


def against_base() -> Pipeline:
    """The paired difference of every run to the base, in the most precise decoding, and the margin within which it is none."""
    asked = "datum.run_a === 'base' && datum.most_precise && datum.benchmark === benchmark && isValid(datum.difference)"
    return Pipeline(
        "differences",
        (
            filtered(f"{asked} && substring(datum.question, 0, 5) === 'does '"),
            *formulas(run="datum.run_b"),
            *KIND,
            filtered(SHOWN),
            *of_runs(PLACE),
            *formulas(
                value="100 * datum.difference",
                from_="100 * datum.low",
                to="100 * datum.high",
                dot="datum.verdict === 'cannot tell' ? (dark ? '#15181d' : '#ffffff') : datum.line",
                none_from="-100 * datum.margin",
                none_to="100 * datum.margin",
            ),
            kept("id", "name", "line", "dot", "order", "value", *WHISKER, "verdict", low="none_from", high="none_to"),
        ),
        ("runs",),
        bounds=FREE_BOUNDS,
    )


CHARTS = {"accuracy": Chart(accuracy_chart, accuracies()), "forest": Chart(whisker_chart, against_base())}
