"""Where in the network: one cell a matrix, for one pair, and a strip of them for every pair."""

from typing import Any

import altair as alt

from lossgeometry.charts.maps import INK_ON_CELL, similarity_colour
from lossgeometry.charts.parts import ROWS, Frame, expression, finish, names_axis, param

ROW = 30


def places_chart(frame: Frame) -> dict[str, Any]:
    """Return a map of projections by layers; rows hold `name, layer, kind, text, value, similarity, inside`."""
    base = alt.Chart(ROWS).transform_filter("isValid(datum.value)")
    bare = {"ticks": False, "domain": False, "grid": False, "labelOverlap": True}
    x = alt.X("layer:O", title="layer", axis=alt.Axis(labelAngle=0, **bare))
    y = alt.Y("kind:N", title=None, sort=None, axis=alt.Axis(labelPadding=6, **bare))
    tips = [alt.Tooltip(field) for field in ("name:N", "layer:O", "kind:N", "text:N", "chance:N")]
    cell = base.mark_rect(cornerRadius=2).encode(x=x, y=y, color=similarity_colour(legend=True), tooltip=tips)
    text = base.mark_text(
        fontSize=11,
        color=expression(INK_ON_CELL),
        fontStyle=expression("datum.inside ? 'italic' : 'normal'"),
        opacity=expression("bandwidth('x') < 33 ? 0 : 1"),
    ).encode(x=x, y=y, text="text:N")
    chart = alt.layer(cell, text).add_params(param("dark", False), param("focus", ""))
    return finish(chart, frame, alt.Step(ROW))


def strips_chart(frame: Frame) -> dict[str, Any]:
    """Return a strip of matrices for every pair; rows hold `name, order, id, place, value, similarity` and what a cell is of."""
    base = alt.Chart(ROWS).transform_filter("isValid(datum.value)")
    starts = "test(/ 0$/, datum.label) ? split(datum.label, ' ')[0] : ''"
    axis = alt.Axis(
        orient="top", labelExpr=starts, labelAlign="left", labelAngle=0, ticks=False, domain=False, grid=False
    )
    x = alt.X("place:N", title=None, sort=None, axis=axis)
    tips = [alt.Tooltip(field) for field in ("name:N", "layer:O", "kind:N", "text:N", "chance:N")]
    cell = base.mark_rect().encode(x=x, y=names_axis(), color=similarity_colour(), tooltip=tips)
    chart = alt.layer(cell).add_params(param("dark", False), param("focus", ""))
    return finish(chart, frame, alt.Step(22))
