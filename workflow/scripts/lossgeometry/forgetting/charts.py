"""The chart of forgetting."""

from lossgeometry.charts.chart import Chart, Panel
from lossgeometry.charts.effects import forgetting_chart
from lossgeometry.charts.transforms import WHISKER, Pipeline, Transform, filtered, formulas, kept, of_runs
from lossgeometry.forgetting.stage import PREDICTORS

LOOK: list[Transform] = [*of_runs("0"), *formulas(dot="datum.line")]


def forgetting() -> Pipeline:
    """The change of accuracy of every run in the other skill, over one property of its update."""
    return Pipeline(
        "forgetting",
        (
            filtered("isValid(datum[predictor]) && isValid(datum.accuracy_change)"),
            *LOOK,
            *formulas(
                at="datum[predictor]",
                value="datum.accuracy_change",
                from_="datum.accuracy_low",
                to="datum.accuracy_high",
            ),
            kept("id", "name", "line", "dot", "at", "value", *WHISKER),
        ),
        ("runs",),
        ("predictor",),
        along=("value", *WHISKER),
    )


CHARTS = {
    "forgetting": Chart(forgetting_chart, forgetting()),
}
PANELS = (
    Panel(
        "forgetting",
        "What was forgotten, and what foretells it?",
        "Accuracy in a skill that no rollout is about, less the base's, over one property of the update. Properties are in the"
        " order in which a line through the other methods foretells a method left out; The table forgetting_law.csv says how well.",
        table="forgetting_law",
        chart="forgetting",
        caption="change of accuracy; whiskers: 95 % over problems",
        select="predictor",
        titles=PREDICTORS,
    ),
)
