"""The charts of what gradients predict before training."""

from lossgeometry.charts.chart import Chart, Panel
from lossgeometry.charts.predictions import LEFT_OF, composition_chart, prediction_chart, regime_chart
from lossgeometry.charts.transforms import PAIR_COLOURS, WHISKER, Pipeline, among, filtered, formulas, kept, stacked
from lossgeometry.explorer.metrics import NORMAL_95

OTHER_LOSS = [
    {"type": "lookup", "from": "runs", "key": "label", "fields": ["loss_b"], "values": ["colour", "title", "arm"]},
    *formulas(
        id="datum.loss_b",
        name="isValid(datum.title) ? datum.title : datum.loss_b",
        line="(isValid(datum.colour) ? datum.colour : base_colour)[dark ? 1 : 0]",
        dash="datum.arm === 'control' ? [1, 3] : [1, 0]",
    ),
]
"""What gives a row of two losses the look of the second one's runs."""


LABEL_WIDTH, LABEL_GAP = 0.16, 0.06
"""Of a label, in cosines."""


def predicted() -> Pipeline:
    """The trained cosine of every pair over the predicted one."""
    look = {
        "type": "lookup",
        "from": "pairs",
        "key": "id",
        "fields": ["pair"],
        "values": ["name", "lines", "dots", "order"],
    }
    return Pipeline(
        "predictions",
        (
            among("visible", "pair"),
            look,
            *formulas(id="datum.pair", value="datum.trained"),
            *PAIR_COLOURS,
            *formulas(on="isValid(datum.predicted) && isValid(datum.value)"),
            *stacked("predicted", "value", LABEL_WIDTH, LABEL_GAP),
            # A label stands beside all points of its stack, where there is room.
            *formulas(
                label_x=f"datum.right > {LEFT_OF} ? datum.left : datum.right", label_y="datum.value - datum.down"
            ),
            kept("id", "name", "line", "dot", "order", "predicted", "value", "label_x", "label_y"),
        ),
        ("pairs",),
        bounds={"floor": "max(-1, min(0, extent(numbers)[0]) - 0.05)"},
        along=("predicted", "value"),
    )


def regimes() -> Pipeline:
    """The predicted cosine of one loss with every other, by the share of right rollouts."""
    half = f"{NORMAL_95} * datum.corrected_se"
    return Pipeline(
        "regime",
        (
            filtered("datum.point === 'initialisation' && datum.loss_a === loss_a"),
            *OTHER_LOSS,
            *formulas(
                value="datum.corrected",
                from_=f"isValid(datum.corrected_se) ? max(min(-1, datum.corrected), datum.corrected - {half}) : null",
                to=f"isValid(datum.corrected_se) ? min(max(1, datum.corrected), datum.corrected + {half}) : null",
            ),
            kept("id", "name", "line", "dash", "share", "value", *WHISKER),
        ),
        ("runs",),
        ("loss_a",),
        along=("value", *WHISKER),
    )


def composition() -> Pipeline:
    """Trained cosines of one loss with every other on compositions of the rollouts, and the predicted curve."""
    return Pipeline(
        "composition",
        (
            filtered("datum.loss_a === loss_a"),
            *OTHER_LOSS,
            *formulas(value="datum.trained"),
            kept("id", "name", "line", "share", "value", "curve"),
        ),
        ("runs",),
        ("loss_a",),
        along=("value", "curve"),
    )


CHARTS = {
    "predicted": Chart(prediction_chart, predicted()),
    "regimes": Chart(regime_chart, regimes()),
    "composition": Chart(composition_chart, composition()),
}
PANELS = (
    Panel(
        "predicted",
        "What did the gradients say before training?",
        "Before any training, the gradients of two losses on the same rollouts already have a [[gradient_cosine|cosine]]. Points"
        " on the diagonal kept it; below it, training parted the two.",
        table="predictions",
        chart="predicted",
        caption="trained over predicted cosine, one point a pair; dashed: equal",
    ),
    Panel(
        "regimes",
        "What if more, or fewer, rollouts were right?",
        "Losses differ in what they do with wrong rollouts, so that the [[gradient_cosine|cosine of their gradients]] depends on"
        " how many there are.",
        table="regime",
        chart="regimes",
        caption="predicted cosine with every other loss; bands: 95 % over folds of prompts",
        select="loss_a",
    ),
    Panel(
        "composition",
        "Trained on other shares of right rollouts",
        "The same texts in other proportions: the points are trained, the lines were predicted from the gradients on all"
        " rollouts.",
        table="composition",
        chart="composition",
        caption="cosine with every other loss; points: trained, one a seed; lines: predicted",
        select="loss_a",
    ),
)
