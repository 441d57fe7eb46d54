"""One line per pair or run: angles with whiskers, sizes and ranks, barriers, accuracies, seeds and learning rates."""

from typing import Any

import altair as alt

from lossgeometry.charts.parts import (
    BAND,
    INK,
    ROWS,
    SOFT,
    Frame,
    bounded_axis,
    bounded_scale,
    bounds,
    dot_fill,
    expression,
    finish,
    names_axis,
    param,
)
from lossgeometry.explorer.metrics import SERIES

STEP = 26
TERM_COLOURS = {"common to all": "#8b95a1", "the loss": "#2d97ec", "the seed": "#e38712", "both together": "#c777a3"}
TERM_INK = "#000000"
_HEAVY = "datum.id === focus ? 4 : 2.2"


def whisker_chart(frame: Frame, last: bool = False) -> dict[str, Any]:
    """Return dots with whiskers.

    Rows hold `name, order, id, line, dot, value`, a whisker `from, to` and a chance band `low, high`.

    Parameters
    ----------
    last
        Whether the whisker ends in something of its own, which then is marked by a tick (the last principal angle).
    """
    base = alt.Chart(ROWS)
    x, y = alt.X("value:Q", title=frame.title or None, scale=bounded_scale(), axis=bounded_axis(6)), names_axis()
    band = (
        base.transform_filter("isValid(datum.low) && isValid(datum.high)")
        .mark_bar(height=15, color=BAND, opacity=0.3)
        .encode(x=alt.X("low:Q"), x2="high:Q", y=y)
    )
    whisker = (
        base.transform_filter("isValid(datum.from) && isValid(datum.to)")
        .mark_rule(strokeWidth=expression(_HEAVY))
        .encode(x=alt.X("from:Q"), x2="to:Q", y=y, stroke=alt.Stroke("line:N", scale=None))
    )
    tips = [alt.Tooltip(field) for field in ("name:N", "value:Q", "from:Q", "to:Q")]
    dots = (
        base.transform_filter("isValid(datum.value)")
        .mark_point(filled=True, opacity=1, size=80, strokeWidth=2)
        .encode(x=x, y=y, fill=dot_fill(), stroke=alt.Stroke("line:N", scale=None), tooltip=tips)
    )
    ends = (
        base.transform_filter("isValid(datum.to)")
        .mark_tick(thickness=2.5, height=13)
        .encode(x=alt.X("to:Q"), y=y, stroke=alt.Stroke("line:N", scale=None))
    )
    marks = [band, whisker, ends, dots] if last else [band, whisker, dots]
    return finish(alt.layer(*marks).add_params(*bounds(), param("focus", "")), frame, alt.Step(STEP))


def bar_chart(frame: Frame) -> dict[str, Any]:
    """Return bars from zero with their value beside them; rows hold `name, order, id, line, value`."""
    base = alt.Chart(ROWS).transform_filter("isValid(datum.value)")
    scale = alt.Scale(zero=True, nice=True, padding=0)
    x = alt.X("value:Q", title=frame.title or None, scale=scale, axis=alt.Axis(tickCount=5, format="~f"))
    y = names_axis()
    bars = base.mark_bar(height=13, cornerRadiusEnd=2).encode(
        x=x, y=y, fill=alt.Fill("line:N", scale=None), tooltip=[alt.Tooltip("name:N"), alt.Tooltip("value:Q")]
    )
    text = base.mark_text(align="left", dx=5, color=INK).encode(x=x, y=y, text=alt.Text("value:Q", format=".3~g"))
    return finish(alt.layer(bars, text).add_params(param("focus", "")), frame, alt.Step(STEP))


def accuracy_chart(frame: Frame) -> dict[str, Any]:
    """Return accuracies with Wilson intervals, and the base's as a line and band behind all of them.

    Rows hold `name, order, line, value, from, to`, and `base, base_from, base_to`, the same in every row.
    """
    base = alt.Chart(ROWS)
    scale = alt.Scale(zero=False, nice=False, padding=14)
    x = alt.X("value:Q", title=frame.title or None, scale=scale, axis=alt.Axis(format="%", tickCount=6))
    y = names_axis()
    one = base.transform_filter("isValid(datum.base)").transform_aggregate(
        base="min(base)", base_from="min(base_from)", base_to="max(base_to)"
    )
    band = one.mark_rect(color=BAND, opacity=0.22).encode(x=alt.X("base_from:Q"), x2="base_to:Q")
    line = one.mark_rule(color=SOFT, strokeDash=[4, 3]).encode(x=alt.X("base:Q"))
    whisker = base.mark_rule(strokeWidth=2.2).encode(
        x=alt.X("from:Q"), x2="to:Q", y=y, stroke=alt.Stroke("line:N", scale=None)
    )
    tips = [alt.Tooltip("name:N"), *(alt.Tooltip(field, format=".1%") for field in ("value:Q", "from:Q", "to:Q"))]
    dots = base.mark_point(filled=True, opacity=1, size=80).encode(
        x=x, y=y, fill=alt.Fill("line:N", scale=None), tooltip=tips
    )
    return finish(alt.layer(band, line, whisker, dots).add_params(param("focus", "")), frame, alt.Step(STEP))


def robustness_chart(frame: Frame) -> dict[str, Any]:
    """Return what changes with the seed or the learning rate.

    Rows hold `name, order, id, line, series, value` and a chance band `low, high`. Each series has a lane of its own.
    """
    base = alt.Chart(ROWS).transform_filter("isValid(datum.value)")
    x, y = alt.X("value:Q", title=frame.title or None, scale=bounded_scale(), axis=bounded_axis(6)), names_axis()
    titles, shapes = zip(*SERIES.values(), strict=True)
    legend = alt.Legend(orient="top", title=None, symbolFillColor=SOFT, symbolStrokeColor=SOFT, columns=2)
    shape = alt.Shape(
        "series:N", scale=alt.Scale(domain=list(titles), range=list(shapes)), legend=legend if frame.figure else None
    )
    bands, dots = [], []
    for place, series in enumerate(titles):
        lane = (place - (len(titles) - 1) / 2) * 0.8 * STEP / len(titles)
        own = base.transform_filter(f"datum.series === '{series}'")
        bands.append(
            own.transform_filter("isValid(datum.low) && isValid(datum.high)")
            .mark_bar(height=0.8 * STEP / len(titles) - 1, color=BAND, opacity=0.3, yOffset=lane)
            .encode(x=alt.X("low:Q"), x2="high:Q", y=y)
        )
        dots.append(
            own.mark_point(filled=True, opacity=1, size=50, yOffset=lane).encode(
                x=x,
                y=y,
                shape=shape,
                fill=alt.Fill("line:N", scale=None),
                tooltip=[alt.Tooltip(f) for f in ("name:N", "series:N", "value:Q")],
            )
        )
    return finish(alt.layer(*bands, *dots).add_params(*bounds(), param("focus", "")), frame, alt.Step(STEP))


def strip_chart(frame: Frame) -> dict[str, Any]:
    """Return every run of a method as a dot in its row; rows hold `name, order, id, title, line, value, arm`."""
    base = alt.Chart(ROWS).transform_filter("isValid(datum.value)")
    x = alt.X(
        "value:Q",
        title=frame.title or None,
        scale=alt.Scale(zero=False, padding=14),
        axis=alt.Axis(tickCount=5, format="~f"),
    )
    y = alt.Y(
        "title:N",
        sort=alt.EncodingSortField("order", op="min"),
        title=None,
        axis=alt.Axis(ticks=False, domain=False, labelPadding=6),
    )
    span = (
        base.transform_filter("datum.arm === 'default' || datum.arm === 'seed'")
        .transform_aggregate(low="min(value)", high="max(value)", order="min(order)", groupby=["title", "line"])
        .mark_rule(strokeWidth=2.5, opacity=0.5)
        .encode(x=alt.X("low:Q"), x2="high:Q", y=y, stroke=alt.Stroke("line:N", scale=None))
    )
    legend = alt.Legend(orient="top", title=None, symbolFillColor=SOFT, symbolStrokeColor=SOFT, columns=1)
    shape = alt.Shape(
        "kind:N",
        scale=alt.Scale(
            domain=["own learning rate", "other learning rate", "control or edit"],
            range=["circle", "diamond", "square"],
        ),
        legend=legend if frame.figure else None,
    )
    dots = base.mark_point(filled=True, size=75, opacity=1).encode(
        x=x,
        y=y,
        shape=shape,
        fill=alt.Fill("line:N", scale=None),
        tooltip=[alt.Tooltip("name:N"), alt.Tooltip("value:Q", format=".4~g")],
    )
    return finish(alt.layer(span, dots).add_params(param("focus", "")), frame, alt.Step(STEP))


def shares_chart(frame: Frame) -> dict[str, Any]:
    """Return shares that add up to one as a bar for each measure; rows hold `name, term, place, value, chance`."""
    base = alt.Chart(ROWS).transform_filter("isValid(datum.value)")
    scale = alt.Scale(domain=list(TERM_COLOURS), range=list(TERM_COLOURS.values()))
    x = alt.X("value:Q", stack="zero", title=frame.title or None, axis=alt.Axis(format="%", tickCount=5))
    y = alt.Y("name:N", sort=None, title=None, axis=alt.Axis(ticks=False, domain=False, labelPadding=6))
    bars = base.mark_bar(height=22).encode(
        x=x,
        y=y,
        order=alt.Order("place:Q"),
        color=alt.Color("term:N", scale=scale, title=None, legend=alt.Legend(orient="top", columns=2)),
        tooltip=[
            alt.Tooltip("name:N"),
            alt.Tooltip("term:N"),
            alt.Tooltip("value:Q", format=".0%"),
            alt.Tooltip("chance:Q", format=".0%"),
        ],
    )
    # A part that has no room for its number has it where it is pointed at.
    room = expression("datum.value * width < 30 ? 0 : 1")
    text = base.mark_text(color=TERM_INK, dx=-3, align="right", opacity=room).encode(
        x=x, y=y, order=alt.Order("place:Q"), text=alt.Text("value:Q", format=".0%")
    )
    return finish(alt.layer(bars, text), frame, alt.Step(40))


def claims_chart(frame: Frame) -> dict[str, Any]:
    """Return the paper's numbers beside those here; rows hold `name, order, line, low, high` (the paper) `from, value` (here)."""
    base = alt.Chart(ROWS).transform_filter("isValid(datum.value)")
    y = names_axis()
    # Ratios of norms lie far beyond cosines: an axis that is even near 0 and in powers further out.
    axis = alt.Axis(values=[-1, -0.5, 0, 0.25, 0.5, 1, 2, 4, 8, 16], format="~g")
    x = alt.X(
        "value:Q",
        title=frame.title or None,
        scale=alt.Scale(type="symlog", constant=0.25, nice=False, padding=12),
        axis=axis,
    )
    tips = [
        alt.Tooltip(field) for field in ("name:N", "quantity:N", "low:Q", "high:Q", "from:Q", "value:Q", "verdict:N")
    ]
    stated = base.mark_rule(strokeWidth=2, color=SOFT).encode(x=alt.X("low:Q"), x2="high:Q", y=y)
    ends = base.mark_point(filled=False, size=80, color=SOFT, strokeWidth=2)
    here = base.mark_rule(strokeWidth=3).encode(
        x=alt.X("from:Q"), x2="value:Q", y=y, stroke=alt.Stroke("line:N", scale=None)
    )
    dots = base.mark_point(filled=True, size=70, opacity=1)
    fill = alt.Fill("line:N", scale=None)
    marks = [stated, *(ends.encode(x=alt.X(f"{end}:Q"), y=y, tooltip=tips) for end in ("low", "high")), here]
    marks += [
        dots.encode(x=alt.X("from:Q"), y=y, fill=fill, tooltip=tips),
        dots.encode(x=x, y=y, fill=fill, tooltip=tips),
    ]
    return finish(alt.layer(*marks), frame, alt.Step(STEP))
