"""The chart of what was changed in what is written."""

from lossgeometry.behaviour.stage import MEASURES
from lossgeometry.charts.chart import Chart, Panel
from lossgeometry.charts.planes import moves_chart
from lossgeometry.charts.spread import whisker_chart
from lossgeometry.charts.transforms import (
    BANDLESS,
    FREE_BOUNDS,
    NO_BAND,
    WHISKER,
    Pipeline,
    filtered,
    formulas,
    kept,
    of_runs,
    stacked,
)


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
            kept("id", "name", "line", "dot", "order", "value", *WHISKER, **BANDLESS),
        ),
        ("runs",),
        ("measure",),
        FREE_BOUNDS,
    )


LABEL_WIDTH, LABEL_GAP, CLEAR = 0.12, 0.07, 0.03
"""Width and height of a label, and its distance from the points, in shares of the axes."""


def moves() -> Pipeline:
    """How far every run moves what is written, over the norm of its update; labels of close points stand below another."""
    return Pipeline(
        "behaviour",
        (
            filtered("datum.measure === 'kl_base_run' && datum.text === 'base' && datum.part === 'all'"),
            {
                "type": "lookup",
                "from": "runs",
                "key": "id",
                "fields": ["run"],
                "values": ["norm", "arm", "label", "title"],
            },
            filtered("datum.norm > 0 && datum.value > 0 && indexof(off, datum.label) < 0"),
            *of_runs("indexof(arranged, datum.run)"),
            *formulas(from_="datum.low", to="datum.high", across="log(datum.norm)", up="log(datum.value)"),
            {
                "type": "joinaggregate",
                "ops": ["min", "max"] * 2,
                "fields": ["across", "across", "up", "up"],
                "as": ["x0", "x1", "y0", "y1"],
            },
            *formulas(
                x="(datum.across - datum.x0) / (datum.x1 - datum.x0 || 1)",
                y="(datum.up - datum.y0) / (datum.y1 - datum.y0 || 1)",
                # Seeds lie beside their method's first run, whose name they would repeat.
                on="(datum.arm === 'default' || datum.arm === 'learning_rate') && !test(/, seed /, datum.name)",
            ),
            *stacked("x", "y", LABEL_WIDTH, LABEL_GAP),
            *formulas(
                tag="datum.on || datum.id === focus ? datum.name : ''",
                label_x=f"exp(datum.x0 + (datum.right + {CLEAR}) * (datum.x1 - datum.x0))",
                label_y="exp(datum.up - datum.down * (datum.y1 - datum.y0))",
            ),
            kept("id", "name", "title", "line", "order", "norm", "value", "tag", "label_x", "label_y", *WHISKER),
        ),
        ("runs",),
        along=("value",),
    )


CHARTS = {"moves": Chart(moves_chart, moves()), "behaviour": Chart(whisker_chart, moved())}
PANELS = (
    Panel(
        "plane",
        "Far in weights, far in words?",
        "Both axes in powers of ten. Two runs at one height move the model as much; the one further left needs a shorter update"
        " for it.",
        table="behaviour",
        chart="moves",
        caption="[[kl]] from the base, nats per token, over the [[norm]] of the update; whiskers: 95 % over problems",
    ),
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
