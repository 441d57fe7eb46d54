"""Charts of what gradients predict: cosines before and after training, and over the share of right rollouts."""

from typing import Any

import altair as alt

from lossgeometry.charts.parts import BAND, ROWS, Frame, dot_fill, expression, finish, labels, line_colour, param

WHOLE = alt.Scale(domain=[-1, 1], clamp=True, nice=False)
SHOWN = alt.Scale(domainMin=expression("floor"), domainMax=1, clamp=True, nice=False, zero=False)
COSINE = alt.Y("value:Q", title=None, scale=WHOLE, axis=alt.Axis(tickCount=5))
LEFT_OF = 0.6
"""Predicted cosine from which a label stands left of its point."""
SHARE = alt.X(
    "share:Q",
    title="share of right rollouts",
    scale=alt.Scale(domain=[0, 1], nice=False),
    axis=alt.Axis(format=".0%", tickCount=6, grid=False),
)


def prediction_chart(frame: Frame) -> dict[str, Any]:
    """Return trained over predicted cosines; rows hold `name, id, line, dot, predicted, value, label_x, label_y`."""
    base = alt.Chart(ROWS).transform_filter("isValid(datum.predicted) && isValid(datum.value)")
    x = alt.X("predicted:Q", title="cosine of the gradients before training", scale=SHOWN, axis=alt.Axis(tickCount=5))
    y = alt.Y("value:Q", title=None, scale=SHOWN, axis=alt.Axis(tickCount=5))
    equal = (
        base.transform_aggregate(rows="count()")
        .mark_rule(color=BAND, strokeDash=[4, 3])
        .encode(
            x=alt.XDatum(expression("floor"), type="quantitative", scale=SHOWN),
            x2=alt.X2Datum(1),
            y=alt.YDatum(expression("floor"), type="quantitative", scale=SHOWN),
            y2=alt.Y2Datum(1),
        )
    )
    dots = base.mark_point(
        filled=True, opacity=1, size=expression("datum.id === focus ? 190 : 90"), strokeWidth=2.5
    ).encode(
        x=x,
        y=y,
        fill=dot_fill(),
        stroke=line_colour(frame) if not frame.figure else alt.Stroke("line:N", scale=None),
        tooltip=[alt.Tooltip(field) for field in ("name:N", "predicted:Q", "value:Q")],
    )
    # On a narrow screen the pair in focus alone has its name.
    seen = "width < 500 && datum.id !== focus ? 0 : 1"
    chart = alt.layer(equal, *labels(base, x, y, seen, f"datum.label_x > {LEFT_OF}"), dots)
    chart = chart.add_params(param("focus", ""), param("floor", -1))
    return finish(chart.properties(title=frame.title), frame)


def regime_chart(frame: Frame) -> dict[str, Any]:
    """Return predicted cosines over the share of right rollouts; rows hold `name, id, line, dash, share, value, from, to`."""
    base = alt.Chart(ROWS).transform_filter("isValid(datum.value)")
    band = (
        base.transform_filter("isValid(datum.from)")
        .mark_area(opacity=0.05, clip=True)
        .encode(x=SHARE, y=alt.Y("from:Q", scale=WHOLE), y2="to:Q", fill=alt.Fill("line:N", scale=None), detail="id:N")
    )
    lines = base.mark_line(strokeWidth=1.7).encode(
        x=SHARE,
        y=COSINE,
        color=line_colour(frame),
        detail="id:N",
        strokeDash=alt.StrokeDash("dash:N", scale=None),
        tooltip=[alt.Tooltip(field) for field in ("name:N", "share:Q", "value:Q")],
    )
    return finish(alt.layer(band, lines).add_params(param("focus", "")).properties(title=frame.title), frame)


def composition_chart(frame: Frame) -> dict[str, Any]:
    """Return trained cosines over the share of right rollouts; rows hold `name, id, line, share, value, curve`."""
    base = alt.Chart(ROWS)
    lines = (
        base.transform_filter("isValid(datum.curve)")
        .mark_line(strokeWidth=1.7)
        .encode(x=SHARE, y=alt.Y("curve:Q", scale=WHOLE), color=line_colour(frame), detail="id:N")
    )
    dots = (
        base.transform_filter("isValid(datum.value)")
        .mark_point(filled=True, opacity=1, size=70)
        .encode(
            x=SHARE,
            y=COSINE,
            fill=alt.Fill("line:N", scale=None),
            tooltip=[alt.Tooltip(field) for field in ("name:N", "share:Q", "value:Q", "curve:Q")],
        )
    )
    return finish(alt.layer(lines, dots).add_params(param("focus", "")).properties(title=frame.title), frame)
