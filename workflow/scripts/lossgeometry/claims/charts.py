"""The chart of the paper's numbers beside those of this experiment."""

from lossgeometry.charts.chart import Chart, Panel
from lossgeometry.charts.spread import claims_chart
from lossgeometry.charts.transforms import Pipeline, filtered, formulas, kept

RATES = "datum.learning_rates === 'matched' ? ', matched rates' : ''"


def numbers() -> Pipeline:
    """Claims about one number, the paper's and the range over the replicates here."""
    return Pipeline(
        "claims",
        (
            filtered("datum.paper_low !== '' && datum.ours_low !== ''"),
            {"type": "identifier", "as": "order"},
            *formulas(
                name=f"datum.claim + ' ' + datum.part + ({RATES})",
                value="toNumber(datum.ours_high)",
                from_="toNumber(datum.ours_low)",
                low="toNumber(datum.paper_low)",
                high="toNumber(datum.paper_high)",
                line="datum.verdict === 'same here' ? '#2d97ec' : datum.verdict === 'differs here' ? '#e38712' : '#8b95a1'",
            ),
            kept("name", "order", "line", "value", "from", "low", "high", "verdict", "quantity"),
        ),
        along=("value", "from", "low", "high"),
    )


CHARTS = {"claims": Chart(claims_chart, numbers())}
PANELS = (
    Panel(
        "numbers",
        "The paper's numbers, and those here",
        "Claims about one number: the paper's beside the smallest and the largest over the replicates here. What each number is,"
        " and by what rule it is judged, follows below.",
        table="claims",
        chart="claims",
        caption="hollow: the paper; filled: here, blue the same, orange different, grey cannot tell",
    ),
)
