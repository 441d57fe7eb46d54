"""Charts of one quantity over another: direction against cosine, loss along a path, training over steps."""

from typing import Any

import altair as alt

from lossgeometry.charts.parts import (
    BAND,
    QUIET_BAND,
    ROWS,
    Frame,
    dot_fill,
    expression,
    finish,
    labels,
    line_colour,
    param,
)

_LINE = "datum.id === focus ? 3.4 : 1.7"


def basis_chart(frame: Frame) -> dict[str, Any]:
    """Return a measurement of the outputs against the raw cosine, with both chance bands.

    Rows hold `name, id, line, dot, on, cosine, cosine_low, cosine_high, value, low, high`; pairs that are not `on`
    recede.
    """
    base = alt.Chart(ROWS).transform_filter("isValid(datum.value) && isValid(datum.cosine)")
    x = alt.X(
        "cosine:Q",
        title="cosine of the updates",
        scale=alt.Scale(domainMin=expression("floor"), domainMax=1, clamp=True),
        axis=alt.Axis(tickCount=6),
    )
    y = alt.Y("value:Q", title=None, scale=alt.Scale(domain=[0, 1], clamp=True), axis=alt.Axis(tickCount=5))
    bands = base.transform_aggregate(
        left="min(cosine_low)", right="max(cosine_high)", bottom="min(low)", top="max(high)"
    )
    across = bands.mark_rect(color=BAND, opacity=0.18).encode(x=alt.X("left:Q"), x2="right:Q")
    along = bands.mark_rect(color=BAND, opacity=0.18).encode(y=alt.Y("bottom:Q"), y2="top:Q")
    dots = base.mark_point(filled=True, size=expression("datum.id === focus ? 190 : 100"), strokeWidth=2.5).encode(
        x=x,
        y=y,
        fill=dot_fill(),
        stroke=line_colour(frame) if not frame.figure else alt.Stroke("line:N", scale=None),
        opacity=alt.condition("datum.on || datum.twins", alt.value(1), alt.value(0.3)),
        shape=alt.condition("datum.twins", alt.value("square"), alt.value("circle")),
        tooltip=[alt.Tooltip(field) for field in ("name:N", "cosine:Q", "value:Q")],
    )
    tags = (
        base.transform_filter("datum.on")
        .mark_text(align="left", dx=9, dy=expression("datum.shift"))
        .encode(x=x, y=y, text="tag:N")
    )
    equal = (
        alt.Chart(alt.InlineData([{}]))
        .mark_rule(color=BAND, strokeDash=[4, 3])
        .encode(
            x=alt.datum(0, type="quantitative"),
            x2=alt.X2Datum(1),
            y=alt.datum(0, type="quantitative"),
            y2=alt.Y2Datum(1),
        )
    )
    chart = alt.layer(across, along, equal, dots, tags).add_params(param("focus", ""), param("floor", -0.1))
    return finish(chart.properties(title=frame.title), frame)


def path_chart(frame: Frame) -> dict[str, Any]:
    """Return the loss between two adapters; rows hold `name, id, line, dot, t, value, from, to`."""
    base = alt.Chart(ROWS).transform_filter("isValid(datum.value)")
    x = alt.X(
        "t:Q",
        title="t: first adapter at 0, second at 1",
        scale=alt.Scale(nice=False),
        axis=alt.Axis(format=".1f", tickCount=6, grid=False),
    )
    y = alt.Y("value:Q", title=None, scale=alt.Scale(zero=False, nice=True), axis=alt.Axis(tickCount=5))
    band = (
        base.transform_filter("isValid(datum.from)")
        .mark_area(opacity=QUIET_BAND)
        .encode(x=x, y=alt.Y("from:Q"), y2="to:Q", fill=alt.Fill("line:N", scale=None), detail="id:N")
    )
    chord = (
        base.transform_filter("datum.t === 0 || datum.t === 1")
        .mark_line(strokeDash=[3, 3], strokeWidth=1, opacity=0.75)
        .encode(x=x, y=y, stroke=alt.Stroke("line:N", scale=None), detail="id:N")
    )
    lines = base.mark_line(strokeWidth=expression(_LINE)).encode(x=x, y=y, color=line_colour(frame), detail="id:N")
    dots = base.mark_point(filled=True, opacity=1, size=30).encode(
        x=x, y=y, fill=dot_fill(), tooltip=[alt.Tooltip(field) for field in ("name:N", "t:Q", "value:Q")]
    )
    chart = alt.layer(band, chord, lines, dots).add_params(param("focus", ""))
    return finish(chart.properties(title=frame.title), frame)


def training_chart(frame: Frame) -> dict[str, Any]:
    """Return a quantity over training steps; rows hold `name, id, line, dash, step, value`."""
    base = alt.Chart(ROWS).transform_filter("isValid(datum.value)")
    x = alt.X(
        "step:Q",
        title="optimiser step",
        scale=alt.Scale(nice=False),
        axis=alt.Axis(tickCount=6, grid=False, format="~s"),
    )
    y = alt.Y("value:Q", title=None, scale=alt.Scale(zero=False, nice=True), axis=alt.Axis(tickCount=5, format="~g"))
    lines = base.mark_line(strokeWidth=1.7, strokeJoin="round").encode(
        x=x,
        y=y,
        color=line_colour(frame),
        detail="id:N",
        strokeDash=alt.StrokeDash("dash:N", scale=None),
        tooltip=[alt.Tooltip(field) for field in ("name:N", "step:Q", "value:Q")],
    )
    return finish(alt.layer(lines).add_params(param("focus", "")).properties(title=frame.title), frame)


def moves_chart(frame: Frame) -> dict[str, Any]:
    """Return how far what is written moved over how far the weights moved, both in powers of ten.

    Rows hold `name, id, line, tag, norm, value, label_x, label_y` and an interval `from, to`.
    """
    base = alt.Chart(ROWS).transform_filter("datum.norm > 0 && datum.value > 0")
    x = alt.X(
        "norm:Q",
        title="norm of the update",
        scale=alt.Scale(type="log", padding=20, nice=False),
        axis=alt.Axis(format="~g", tickCount=5, grid=False, labelSeparation=10),
    )
    y = alt.Y(
        "value:Q",
        title=None,
        scale=alt.Scale(type="log", padding=12, nice=False),
        axis=alt.Axis(format="~g", tickCount=4),
    )
    whisker = (
        base.transform_filter("datum.from > 0")
        .mark_rule(strokeWidth=1.6, opacity=0.7)
        .encode(x=x, y=alt.Y("from:Q"), y2="to:Q", stroke=alt.Stroke("line:N", scale=None))
    )
    dots = base.mark_point(filled=True, opacity=1, size=85).encode(
        x=x,
        y=y,
        fill=alt.Fill("line:N", scale=None),
        tooltip=[alt.Tooltip("name:N"), alt.Tooltip("norm:Q", format=".3~g"), alt.Tooltip("value:Q", format=".3~g")],
    )
    named = base.transform_filter("datum.tag")
    chart = alt.layer(*labels(named, x, y, text="tag:N"), whisker, dots).add_params(param("focus", ""))
    return finish(chart.properties(title=frame.title), frame)
