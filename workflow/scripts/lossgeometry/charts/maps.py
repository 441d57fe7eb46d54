"""The map of directions: every run against every other, one number a cell."""

from typing import Any

import altair as alt

from lossgeometry.charts.parts import ROWS, Frame, expression, finish, param

# Opposed, unrelated, the same; the middle is the ground, so that what is unrelated recedes.
LIGHT = ("#9a4d00", "#f1f3f5", "#134a8e")
DARK = ("#f0a04b", "#22272e", "#7db8ff")
SMALL = "length(shown) > 14"
STEP = {"y_step": f"{SMALL} ? 20 : 34"}
"""Height of a row, as a parameter of the compiled chart."""


def map_chart(frame: Frame) -> dict[str, Any]:
    """Return the chart; rows hold `row, column, row_order, column_order, text, similarity, inside`.

    `similarity` in [-1, 1] colours a cell, `text` is what it says, `inside` whether it is what chance gives; the
    diagonal is left out by its absence.
    The number of runs sets the size of the text; see `STEP` for that of the cells.
    """
    base = alt.Chart(ROWS)
    bare = {"ticks": False, "domain": False, "grid": False, "labelLimit": expression(f"{SMALL} ? 110 : 150")}
    x = alt.X(
        "column:N",
        sort=alt.EncodingSortField("column_order", op="min"),
        title=None,
        axis=alt.Axis(orient="top", labelAngle=expression(f"{SMALL} ? -90 : -30"), **bare),
    )
    y = alt.Y(
        "row:N", sort=alt.EncodingSortField("row_order", op="min"), title=None, axis=alt.Axis(labelPadding=6, **bare)
    )
    colours = [expression(f"dark ? '{dark}' : '{light}'") for light, dark in zip(LIGHT, DARK, strict=True)]
    fill = alt.Color("similarity:Q", scale=alt.Scale(domain=[-1, 0, 1], range=colours, clamp=True), legend=None)
    cell = base.mark_rect(cornerRadius=2).encode(
        x=x,
        y=y,
        color=fill,
        stroke=alt.Stroke("edge:N", scale=None),
        strokeWidth=alt.value(expression("datum.id === focus ? 2.5 : 0")),
        tooltip=[alt.Tooltip(field) for field in ("name:N", "text:N", "chance:N", "control:N", "replicate:N")],
    )
    # Whichever ink has the better contrast on the cell, which changes where its luminance is about 0.18; grey for chance.
    ink = (
        "abs(datum.similarity) > (dark ? 0.5 : 0.72) ? (dark ? '#0b0d10' : '#ffffff') : (dark ? '#e8ebef' : '#1c2127')"
    )
    quiet = "dark ? '#9aa4b2' : '#5b6470'"
    # Numbers that would run into each other are left to the tooltip and the table.
    text = base.mark_text(
        fontSize=expression(f"{SMALL} ? 8 : 11"),
        color=expression(f"datum.inside ? ({quiet}) : ({ink})"),
        fontStyle=expression("datum.inside ? 'italic' : 'normal'"),
        opacity=expression(f"bandwidth('x') < ({SMALL} ? 24 : 33) ? 0 : 1"),
    ).encode(x=x, y=y, text="text:N")
    chart = alt.layer(cell, text).add_params(param("dark", False), param("focus", ""), param("shown", []))
    return finish(chart, frame, alt.Step(34))
