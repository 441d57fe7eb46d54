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


TURNS = {False: (-0.845, 0.725), True: (-0.575, 0.56)}
"""Similarities, in light and in dark, beyond which a cell is inked by the other of black and white: where both have the same
contrast on it, 4.58."""
QUIET_UP_TO, QUIET = 0.15, ("#4f5761", "#a6b0be")
"""How far from 0 a cell within chance is still written in grey, and the grey in light and in dark."""


def _ink() -> str:
    (low, high), (dark_low, dark_high) = TURNS[False], TURNS[True]
    light = f"datum.similarity > {high} || datum.similarity < {low} ? '#ffffff' : '#000000'"
    dark = f"datum.similarity > {dark_high} || datum.similarity < {dark_low} ? '#000000' : '#ffffff'"
    quiet = f"dark ? '{QUIET[1]}' : '{QUIET[0]}'"
    return f"datum.inside && abs(datum.similarity) < {QUIET_UP_TO} ? ({quiet}) : dark ? ({dark}) : ({light})"


INK_ON_CELL = _ink()


def similarity_colour(legend: bool = False) -> alt.Color:
    """Return the colour of a similarity from -1 (opposed) over 0 (unrelated) to 1 (the same), with its key on request."""
    colours = [expression(f"dark ? '{dark}' : '{light}'") for light, dark in zip(LIGHT, DARK, strict=True)]
    key = alt.Legend(
        title="opposed · unrelated · the same",
        orient="bottom",
        titleLimit=300,
        titleFontWeight="normal",
        gradientLength=220,
        gradientThickness=10,
        values=[-1, 0, 1],
    )
    scale = alt.Scale(domain=[-1, 0, 1], range=colours, clamp=True, interpolate="rgb")
    return alt.Color("similarity:Q", scale=scale, legend=key if legend else None)


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
    cell = base.mark_rect(cornerRadius=2).encode(
        x=x,
        y=y,
        color=similarity_colour(legend=True),
        stroke=alt.Stroke("edge:N", scale=None),
        strokeWidth=alt.value(expression("datum.id === focus ? 2.5 : 0")),
        tooltip=[alt.Tooltip(field) for field in ("name:N", "text:N", "chance:N", "control:N", "replicate:N")],
    )
    # Numbers that would run into each other are left to the tooltip and the table.
    text = base.mark_text(
        fontSize=expression(f"{SMALL} ? 8 : 11"),
        color=expression(INK_ON_CELL),
        fontStyle=expression("datum.inside ? 'italic' : 'normal'"),
        opacity=expression(f"bandwidth('x') < ({SMALL} ? 24 : 33) ? 0 : 1"),
    ).encode(x=x, y=y, text="text:N")
    chart = alt.layer(cell, text).add_params(param("dark", False), param("focus", ""), param("shown", []))
    return finish(chart, frame, alt.Step(34))


def effects_map(frame: Frame) -> dict[str, Any]:
    """Return a map of effects with their intervals; rows hold `row, column, row_order, column_order, text, interval, similarity,
    inside`.

    `similarity` is the effect over the largest one shown, and `inside` whether it is not told from none.
    """
    base = alt.Chart(ROWS)
    axis = alt.Axis(ticks=False, domain=False, grid=False, labelLimit=190, labelPadding=6, titleFontStyle="italic")
    x = alt.X(
        "column:N",
        sort=alt.EncodingSortField("column_order", op="min"),
        title="norm of",
        axis=alt.Axis(orient="top", labelAngle=0, ticks=False, domain=False, titleFontStyle="italic"),
    )
    y = alt.Y("row:N", sort=alt.EncodingSortField("row_order", op="min"), title="direction of", axis=axis)
    fields = ("row:N", "column:N", "text:N", "interval:N", "verdict:N")
    tooltip = [alt.Tooltip(field) for field in fields]
    cell = base.mark_rect(cornerRadius=2).encode(x=x, y=y, color=similarity_colour(), tooltip=tooltip)
    ink = {"color": expression(INK_ON_CELL), "fontStyle": expression("datum.inside ? 'italic' : 'normal'")}
    text = base.mark_text(dy=-6, **ink).encode(x=x, y=y, text="text:N")
    narrow = expression("bandwidth('x') < 88 ? 0 : 1")
    interval = base.mark_text(dy=8, fontSize=9, opacity=narrow, **ink).encode(x=x, y=y, text="interval:N")
    layers = alt.layer(cell, text, interval).add_params(param("dark", False)).properties(title=frame.title)
    return finish(layers, frame, alt.Step(40))
