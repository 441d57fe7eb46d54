"""The charts of size, effect and forgetting."""

from lossgeometry.charts.chart import Chart, Panel
from lossgeometry.charts.effects import forgetting_chart, size_and_effect_chart
from lossgeometry.charts.transforms import WHISKER, Pipeline, Transform, filtered, formulas, kept, of_runs
from lossgeometry.forgetting.stage import PREDICTORS

LOOK: list[Transform] = [*of_runs("0"), *formulas(dot="datum.line")]


def size_and_effect() -> Pipeline:
    """How far every run moves what is written, over its norm; a run that moves nothing has no logarithm."""
    return Pipeline(
        "forgetting",
        (
            filtered("datum.kl_base_run > 0 && datum.norm > 0"),
            *LOOK,
            *formulas(value="datum.kl_base_run"),
            kept("id", "name", "line", "dot", "norm", "value"),
        ),
        ("runs",),
        along=("value",),
    )


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
    "size_and_effect": Chart(size_and_effect_chart, size_and_effect()),
    "forgetting": Chart(forgetting_chart, forgetting()),
}
PANELS = (
    Panel(
        "size_and_effect",
        "Is a long way in weights a long way in behaviour?",
        "Every update by its [[norm]] and by the [[kl|KL divergence]] of what it makes the model write, both logarithmic."
        " Updates of one norm may be far apart in behaviour.",
        table="forgetting",
        chart="size_and_effect",
        caption="KL(base || run), nats per token, over the norm; one point a run",
    ),
    Panel(
        "forgetting",
        "What was forgotten, and what foretells it?",
        "Accuracy in a skill that no rollout is about, less the base's, over one property of the update. Properties are in the"
        " order in which a line through the other methods foretells a method left out; `tables/forgetting_law.csv` says how well.",
        table="forgetting_law",
        chart="forgetting",
        caption="change of accuracy; whiskers: 95 % over problems",
        select="predictor",
        titles=PREDICTORS,
    ),
)
