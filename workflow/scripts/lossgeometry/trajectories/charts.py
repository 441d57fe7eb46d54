"""The charts of trajectories: cosines along training, and one pair at all steps."""

from typing import Any

import altair as alt

from lossgeometry.charts.chart import Chart, Panel
from lossgeometry.charts.maps import map_chart
from lossgeometry.charts.parts import BAND, ROWS, SOFT, Frame, expression, finish, line_colour, param
from lossgeometry.charts.transforms import PAIR_COLOURS, Pipeline, filtered, formulas, kept, stacked

LOOK = {
    "type": "lookup",
    "from": "pairs",
    "key": "id",
    "fields": ["pair"],
    "values": ["name", "lines", "dots", "order"],
}
RESHUFFLED = "the same loss, data in another order"
LABEL_HEIGHT = 0.065
"""Of the name at the end of a line, as a share of the axis."""


def along_training() -> Pipeline:
    """The cosine of every pair drawn after as many steps, and that of runs that differ in the order of the data alone."""
    return Pipeline(
        "step_pairs",
        (
            filtered("datum.step_a === datum.step_b"),
            *formulas(reshuffled="datum.replicate === 'order'"),
            filtered("datum.reshuffled || indexof(chosen, datum.pair) >= 0"),
            LOOK,
            *PAIR_COLOURS,
            *formulas(
                id="datum.pair",
                step="datum.step_a",
                value="datum.cosine",
                called=f"datum.reshuffled ? '{RESHUFFLED}' : datum.name",
                shade=f"datum.reshuffled ? '{SOFT}' : datum.line",
            ),
            {
                "type": "joinaggregate",
                "ops": ["max", "min", "max"],
                "fields": ["step", "value", "value"],
                "as": ["last", "y0", "y1"],
            },
            *formulas(
                on="datum.step === datum.last && !datum.reshuffled",
                at="0",
                level="(datum.value - datum.y0) / (datum.y1 - datum.y0 || 1)",
            ),
            *stacked("at", "level", 1, LABEL_HEIGHT),
            *formulas(
                tag="datum.on ? datum.name : ''",
                label_y="datum.value - datum.down * (datum.y1 - datum.y0)",
            ),
            kept("id", "dot", "order", "step", "value", "reshuffled", "tag", "label_y", name="called", line="shade"),
        ),
        ("pairs",),
    )


def steps_chart(frame: Frame) -> dict[str, Any]:
    """Return cosines over steps; rows hold `name, id, line, step, value, reshuffled, tag, label_y`."""
    base = alt.Chart(ROWS).transform_filter("isValid(datum.value)")
    axis = alt.Axis(tickCount=6, grid=False, format="~s")
    x = alt.X("step:Q", title="optimiser step", scale=alt.Scale(type="log", nice=False), axis=axis)
    y = alt.Y("value:Q", title=None, scale=alt.Scale(zero=True, nice=True), axis=alt.Axis(tickCount=5, format="~g"))
    # What lies above the reshuffled runs is no further apart than noise sets one loss from itself.
    noise = (
        base.transform_filter("datum.reshuffled")
        .transform_aggregate(lowest="min(value)", groupby=["step"])
        .mark_area(color=BAND, opacity=0.18)
        .encode(x=x, y=alt.Y("lowest:Q"), y2=alt.datum(1))
    )
    lines = base.mark_line(strokeWidth=expression("datum.id === focus ? 3.4 : 1.7"), point=True).encode(
        x=x,
        y=y,
        color=line_colour(frame),
        detail="id:N",
        tooltip=[alt.Tooltip(field) for field in ("name:N", "step:Q", "value:Q")],
    )
    names = (
        base.transform_filter("datum.tag")
        .mark_text(align="left", dx=8)
        .encode(x=x, y=alt.Y("label_y:Q"), text=alt.Text("tag:N"))
    )
    return finish(alt.layer(noise, lines, names).add_params(param("focus", "")).properties(title=frame.title), frame)


def every_step() -> Pipeline:
    """The pair that is followed, each step of one with each of the other."""
    return Pipeline(
        "step_pairs",
        (
            filtered("datum.pair === focus"),
            LOOK,
            *PAIR_COLOURS,
            *formulas(
                id="datum.pair + datum.step_a + '/' + datum.step_b",
                row="'step ' + datum.step_a",
                column="'step ' + datum.step_b",
                row_order="datum.step_a",
                column_order="datum.step_b",
                similarity="datum.cosine",
                value="datum.cosine",
                text="format(datum.cosine, '.2f')",
                inside="false",
                edge="datum.line",
                chance="'–'",
                control="'–'",
            ),
            kept(
                *("id", "name", "row", "column", "row_order", "column_order"),
                *("text", "value", "similarity", "inside", "edge", "chance", "control", "replicate"),
            ),
        ),
        ("pairs",),
        along=("similarity",),
    )


CHARTS = {"cosine_by_step": Chart(steps_chart, along_training()), "step_map": Chart(map_chart, every_step())}
PANELS = (
    Panel(
        "cosine_by_step",
        "When do the directions part?",
        "The cosine of two updates after as many steps of each. Grey is what the order of the data alone does to one loss: what"
        " lies in it is no further apart than that. `tables/matched.csv` has the same at equal norm and at equal KL.",
        table="step_pairs",
        chart="cosine_by_step",
        caption="cosine by optimiser step; grey: one loss with itself, reshuffled",
    ),
    Panel(
        "step_map",
        "Early, late, and across",
        "The pair that is followed: rows are steps of its first run, columns of its second.",
        table="step_pairs",
        chart="step_map",
        caption="cosine of the two updates",
        inked=True,
    ),
)
