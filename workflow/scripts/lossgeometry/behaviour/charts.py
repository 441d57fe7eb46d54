"""The chart of what was changed in what is written."""

from lossgeometry.behaviour.stage import MEASURES
from lossgeometry.charts.chart import Chart, Panel
from lossgeometry.charts.spread import whisker_chart
from lossgeometry.charts.transforms import FREE_BOUNDS, NO_BAND, WHISKER, Pipeline, filtered, formulas, kept, of_runs


def moved() -> Pipeline:
    """One measure of every run, with its interval; the base's own value is the floor."""
    own = "datum.text === (measure === 'kl_run_base' && datum.run !== 'base' ? 'own' : 'base')"
    return Pipeline(
        "behaviour",
        (
            filtered(f"datum.measure === measure && datum.part === 'all' && {own}"),
            filtered("datum.run === 'base' || indexof(shown, datum.run) >= 0"),
            *of_runs("indexof(shown, datum.run)"),
            *formulas(from_="datum.low", to="datum.high", dot="datum.line"),
            *NO_BAND,
            kept("id", "name", "line", "dot", "order", "value", "low", "high", *WHISKER),
        ),
        ("runs",),
        ("measure",),
        FREE_BOUNDS,
    )


CHARTS = {"behaviour": Chart(whisker_chart, moved())}
PANELS = (
    Panel(
        "behaviour",
        "How far does it move what is written?",
        "Two updates of one [[norm]] may move the model differently: [[kl]] is taken at every token over the whole"
        " vocabulary, in nats per token.",
        table="behaviour",
        chart="behaviour",
        caption="whiskers: 95 % over problems; base: the base against itself, the floor of the measurement",
        select="measure",
        titles=MEASURES,
    ),
)
