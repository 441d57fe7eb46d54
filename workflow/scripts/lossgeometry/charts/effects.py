"""Charts of runs as points: what they do over what they are."""

from typing import Any

import altair as alt

from lossgeometry.charts.parts import BAND, ROWS, Frame, dot_fill, expression, finish, labels, line_colour, param


def forgetting_chart(frame: Frame) -> dict[str, Any]:
    """Return the change of accuracy over one property.

    Rows hold `name, id, line, dot, at, value, tag, label_x, label_y` and an interval `from, to`.
    """
    x = alt.X(
        "at:Q", title=None, scale=alt.Scale(type="sqrt", zero=False, nice=True), axis=alt.Axis(format="~g", tickCount=6)
    )
    y = alt.Y("value:Q", title=None, scale=alt.Scale(nice=True), axis=alt.Axis(format="+%", tickCount=5))
    none = alt.Chart(ROWS).transform_aggregate(rows="count()").mark_rule(color=BAND, strokeDash=[4, 3])
    whiskers = (
        alt.Chart(ROWS)
        .transform_filter("isValid(datum.from) && isValid(datum.to)")
        .mark_rule(opacity=0.6)
        .encode(x=x, y=alt.Y("from:Q"), y2="to:Q", stroke=alt.Stroke("line:N", scale=None))
    )
    named = alt.Chart(ROWS).transform_filter("datum.tag")
    names = labels(named, x, y, text="tag:N")
    layers = alt.layer(*names, whiskers, _dots(frame, x, y, "at:Q"), none.encode(y=alt.YDatum(0)))
    return finish(layers.add_params(param("focus", "")).properties(title=frame.title), frame)


def _dots(frame: Frame, x: alt.X, y: alt.Y, first: str) -> alt.Chart:
    size = expression("datum.id === focus ? 190 : 90")
    return (
        alt.Chart(ROWS)
        .mark_point(filled=True, opacity=1, size=size, strokeWidth=2.5)
        .encode(
            x=x,
            y=y,
            fill=dot_fill(),
            stroke=line_colour(frame) if not frame.figure else alt.Stroke("line:N", scale=None),
            tooltip=[alt.Tooltip(field) for field in ("name:N", first, "value:Q")],
        )
    )
