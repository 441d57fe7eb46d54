"""The chart of the hidden states."""

from lossgeometry.charts.chart import Chart, Panel
from lossgeometry.charts.depth import depth_chart
from lossgeometry.charts.transforms import BAND, FREE_BOUNDS, LOOK, WHISKER, Pipeline, formulas, kept, of_pairs
from lossgeometry.representations.stage import ESTIMATORS


def hidden_states() -> Pipeline:
    """The similarity of hidden states at every layer, with its interval."""
    return Pipeline(
        "cka",
        (
            *of_pairs("datum.estimator === estimator"),
            *formulas(from_="datum.low", to="datum.high", low="null", high="null"),
            kept(*LOOK, "layer", *BAND, *WHISKER),
        ),
        ("pairs",),
        ("estimator",),
        FREE_BOUNDS,
    )


PANELS = (
    Panel(
        "representations",
        "Does it compute something else?",
        "Updates may differ and still make the same model. [[cka]] compares hidden states on the same tokens, with the"
        " layer slider above.",
        table="cka",
        chart="similarity",
        caption="bands: 95 % over sequences",
        select="estimator",
        titles=ESTIMATORS,
        by_layer=True,
    ),
)
CHARTS = {"similarity": Chart(depth_chart, hidden_states())}
