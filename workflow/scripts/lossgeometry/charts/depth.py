"""A value per layer, one line per pair, with the chance band behind and the chosen layer marked."""

from typing import Any

import altair as alt

from lossgeometry.charts.parts import (
    BAND,
    QUIET_BAND,
    ROWS,
    SOFT,
    Frame,
    bounded_axis,
    bounded_scale,
    bounds,
    dot_fill,
    expression,
    finish,
    line_colour,
    param,
)


def depth_chart(frame: Frame) -> dict[str, Any]:
    """Return the chart.

    Rows hold `name, line, dot, id, dash, layer, value`, a chance band `low, high` and an interval `from, to`.
    """
    base = alt.Chart(ROWS)
    x_scale = alt.Scale(domainMin=0, domainMax=expression("max(layers - 1, 1)"), nice=False, padding=6)
    axis = alt.Axis(format="d", tickMinStep=1, tickCount=expression("min(layers, 12)"), grid=False)
    x = alt.X("layer:Q", title="layer", scale=x_scale, axis=axis)
    y = alt.Y("value:Q", title=None, scale=bounded_scale(), axis=bounded_axis())
    strong = expression("datum.id === focus ? 3.4 : 1.7")
    # One band for all that is shown: the widest, so that nothing inside any pair's band looks like a signal.
    band = (
        base.transform_filter("isValid(datum.low) && isValid(datum.high)")
        .transform_aggregate(bottom="min(low)", top="max(high)", groupby=["layer"])
        .mark_area(color=BAND, opacity=0.22)
        .encode(x=x, y=alt.Y("bottom:Q"), y2="top:Q")
    )
    interval = (
        base.transform_filter("isValid(datum.from) && isValid(datum.to)")
        .mark_area(opacity=QUIET_BAND)
        .encode(x=x, y=alt.Y("from:Q"), y2="to:Q", fill=alt.Fill("line:N", scale=None), detail="id:N")
    )
    rule = (
        alt.Chart(alt.InlineData([{}]))
        .mark_rule(color=SOFT, strokeDash=[3, 3])
        .encode(x=alt.datum(expression("layer"), type="quantitative"))
    )
    valid = base.transform_filter("isValid(datum.value)")
    lines = valid.mark_line(strokeWidth=strong, strokeJoin="round").encode(
        x=x, y=y, color=line_colour(frame), detail="id:N", strokeDash=alt.StrokeDash("dash:N", scale=None)
    )
    dots = valid.mark_point(
        filled=True, opacity=1, size=expression("datum.id === focus ? 46 : layers > 12 ? 20 : 30")
    ).encode(x=x, y=y, fill=dot_fill(), tooltip=[alt.Tooltip(field) for field in ("name:N", "layer:Q", "value:Q")])
    parts = [band, interval, rule, lines, dots] if not frame.figure else [band, interval, lines, dots]
    chart = (
        alt.layer(*parts)
        .add_params(param("layer", 0), param("layers", 1), *bounds(), param("focus", ""))
        .properties(title=frame.title)
    )
    return finish(chart, frame)
