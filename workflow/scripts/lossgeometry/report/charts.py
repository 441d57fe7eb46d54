"""The chart of what goes with the loss and what with the seed."""

import json

from lossgeometry.charts.chart import Chart
from lossgeometry.charts.spread import shares_chart
from lossgeometry.charts.transforms import Pipeline, formulas, kept

TERMS = {"common": "common to all", "method": "the loss", "seed": "the seed", "remainder": "both together"}
MEASURES = {"cosine": "the updates", "output_gram_alignment": "what is written to"}


def decomposed() -> Pipeline:
    """What goes with the loss, with the seed, with both, and what all runs have in common."""
    return Pipeline(
        "decomposition",
        (
            *formulas(
                name=f"({json.dumps(MEASURES)})[datum.measure] || datum.measure",
                place=f"indexof({json.dumps(list(TERMS))}, datum.term)",
                value="datum.share",
            ),
            *formulas(part=f"({json.dumps(TERMS)})[datum.term]"),
            kept("name", "place", "value", "chance", term="part"),
        ),
        along=("value",),
    )


CHARTS = {"decomposition": Chart(shares_chart, decomposed())}
