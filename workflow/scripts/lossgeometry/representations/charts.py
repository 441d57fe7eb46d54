"""The chart of the hidden states."""

from lossgeometry.charts.chart import Chart, Panel
from lossgeometry.charts.depth import depth_chart
from lossgeometry.charts.transforms import (
    BANDLESS,
    FREE_BOUNDS,
    LOOK,
    NO_BAND,
    WHISKER,
    Pipeline,
    formulas,
    kept,
    of_pairs,
)
from lossgeometry.representations.stage import ESTIMATORS


def hidden_states() -> Pipeline:
    """The similarity of hidden states at every layer, with its interval."""
    return Pipeline(
        "cka",
        (
            *of_pairs("datum.estimator === estimator"),
            *formulas(from_="datum.low", to="datum.high"),
            *NO_BAND,
            kept(*LOOK, "layer", "value", *WHISKER, **BANDLESS),
        ),
        ("pairs",),
        ("estimator",),
        FREE_BOUNDS,
    )


PANELS = (
    Panel(
        "representations",
        "Does it compute something else?",
        "Updates may differ and still make the same model. The cosine of two runs' shifts away from the base says whether they"
        " move the hidden states the same way; [[cka]] compares the states themselves, in which the base has the most part.",
        table="cka",
        chart="similarity",
        caption="bands: 95 % over sequences",
        select="estimator",
        titles=ESTIMATORS,
        first="shift_cosine",
        by_layer=True,
    ),
)
CHARTS = {"similarity": Chart(depth_chart, hidden_states())}
