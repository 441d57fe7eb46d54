"""What the charts share: the data set, colours that rows carry, chance bands, the style."""

from typing import Any, NamedTuple

import altair as alt

ROWS = alt.NamedData(name="rows")
INK, SOFT, GRID, BAND = "#1c2127", "#5b6470", "#e3e6ea", "#8b95a1"
LEGEND = "names and colours of the rows"
FONT = "DejaVu Sans, Verdana, sans-serif"

CONFIG = {
    "font": FONT,
    "view": {"stroke": None},
    "aria": False,
    "axis": {
        "labelColor": SOFT,
        "titleColor": SOFT,
        "gridColor": GRID,
        "domainColor": BAND,
        "tickColor": BAND,
        "labelFontSize": 11,
        "titleFontSize": 11,
        "titleFontWeight": "normal",
        "labelLimit": 190,
    },
    "title": {"color": INK, "fontSize": 12, "fontWeight": "normal", "anchor": "start", "offset": 8},
    "legend": {"labelColor": INK, "titleColor": SOFT, "labelFontSize": 11, "symbolStrokeWidth": 2, "labelLimit": 260},
    "text": {"fontSize": 11},
}

LABEL_LIMIT = "windowSize()[0] < 700 ? 150 : 280"
"""Pixels of the names beside a chart: whole on a screen, and no more than half of a telephone's."""
QUIET_BAND = alt.ExprRef("datum.id === focus ? 0.24 : 0.09")
"""Opacity of the interval around a line: many overlap, the one that is followed stands out."""


class Frame(NamedTuple):
    """Where a chart is drawn."""

    figure: bool = False
    """Whether it is a figure, which stands alone with a legend, or a part of the page, which has one beside it."""
    width: int | str = "container"
    height: int = 260
    title: str = ""
    """Figures only: what the value axis shows; the page says it beside the chart."""


def param(name: str, value: Any) -> alt.Parameter:
    """Return a parameter that the page sets from its controls."""
    return alt.param(name=name, value=value)


def bounds(floor: float = 0, ceiling: float = 1, form: str = ".2f") -> tuple[alt.Parameter, ...]:
    """Return the parameters of a bounded value axis: its range and number format, which depend on the metric."""
    return param("floor", floor), param("ceiling", ceiling), param("form", form)


def bounded_scale() -> alt.Scale:
    """Return the scale of a bounded value axis."""
    return alt.Scale(domainMin=expression("floor"), domainMax=expression("ceiling"), clamp=True, nice=False, zero=False)


def bounded_axis(count: int = 5) -> alt.Axis:
    """Return the axis of a bounded value axis."""
    return alt.Axis(labelExpr="format(datum.value, form)", tickCount=count)


def line_colour(frame: Frame) -> alt.Color:
    """Return the colour that a row carries in `line`; in a figure through a scale, so that there is a legend."""
    if not frame.figure:
        return alt.Color("line:N", scale=None)
    # The names and colours of the rows take the place of the domain when the chart is compiled.
    scale = alt.Scale(domain=[LEGEND], range=[INK])
    return alt.Color("name:N", scale=scale, title=None, legend=alt.Legend(orient="right", symbolType="stroke"))


def dot_fill() -> alt.Fill:
    """Return the fill that a row carries in `dot`."""
    return alt.Fill("dot:N", scale=None)


def expression(text: str) -> alt.ExprRef:
    """Return a reference to a Vega expression."""
    return alt.ExprRef(text)


def labels(
    base: alt.Chart, x: alt.X, y: alt.Y, seen: str = "1", left: str = "false", text: str = "name:N"
) -> list[alt.Chart]:
    """Return names beside points, each with a line to its point; rows hold where a name stands in `label_x, label_y`."""
    across, up = x.to_dict(), y.to_dict()
    at = {"x": alt.X(**{**across, "field": "label_x"}), "y": alt.Y(**{**up, "field": "label_y"})}
    ends = {"x2": across["field"], "y2": up["field"]}
    rule = base.mark_rule(color=BAND, opacity=expression(f"0.6 * ({seen})"))
    words = base.mark_text(
        align=expression(f"{left} ? 'right' : 'left'"), dx=expression(f"{left} ? -9 : 9"), opacity=expression(seen)
    )
    return [rule.encode(**at, **ends), words.encode(**at, text=text)]


def names_axis(title: str | None = None) -> alt.Y:
    """Return the vertical axis of charts with one line per pair or run, in the order of `order`."""
    return alt.Y(
        "name:N",
        sort=alt.EncodingSortField("order", op="min"),
        title=title,
        axis=alt.Axis(ticks=False, domain=False, labelPadding=6, labelLimit=expression(LABEL_LIMIT)),
    )


def finish(chart: alt.Chart | alt.LayerChart, frame: Frame, height: int | alt.Step | None = None) -> dict[str, Any]:
    """Return the Vega-Lite specification of a chart in its frame."""
    sized = chart.properties(width=frame.width, height=frame.height if height is None else height)
    if not frame.figure:
        sized = sized.properties(autosize=alt.AutoSizeParams(type="fit-x", contains="padding"))
    config = {**CONFIG, "background": "#ffffff" if frame.figure else "transparent"}
    return sized.properties(config=config, padding={"left": 2, "right": 10, "top": 4, "bottom": 2}).to_dict(
        validate=True
    )
