"""The chart of forgetting."""

from lossgeometry.charts.chart import Chart, Panel
from lossgeometry.charts.effects import forgetting_chart
from lossgeometry.charts.transforms import WHISKER, Pipeline, Transform, filtered, formulas, kept, of_runs, stacked
from lossgeometry.forgetting.stage import PREDICTORS

LABEL_WIDTH, LABEL_GAP, CLEAR, ALONE = 0.2, 0.07, 0.02, 0.6
"""Width and height of a label, its distance from the points, and where few points are, in shares of the axes."""

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
            {
                "type": "joinaggregate",
                "ops": ["min", "max"] * 2,
                "fields": ["at", "at", "value", "value"],
                "as": ["x0", "x1", "y0", "y1"],
            },
            *formulas(
                x="sqrt((datum.at - datum.x0) / (datum.x1 - datum.x0 || 1))",
                y="(datum.value - datum.y0) / (datum.y1 - datum.y0 || 1)",
            ),
            *formulas(on=f"indexof(shown, datum.id) >= 0 || datum.x > {ALONE}"),
            *stacked("x", "y", LABEL_WIDTH, LABEL_GAP),
            *formulas(
                tag="datum.on ? datum.name : ''",
                label_x=f"datum.x0 + pow(datum.right + {CLEAR}, 2) * (datum.x1 - datum.x0)",
                label_y="datum.value - datum.down * (datum.y1 - datum.y0)",
            ),
            kept("id", "name", "line", "dot", "at", "value", "tag", "label_x", "label_y", *WHISKER),
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
