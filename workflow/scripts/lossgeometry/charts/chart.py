"""A chart: how it is drawn and where its rows come from; compiled to Vega, then filled from the bundle.

The page fills the same compiled charts as its controls turn, in resources/explorer/plots.js.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import vl_convert

from lossgeometry.charts.parts import LEGEND, Frame
from lossgeometry.charts.transforms import Pipeline

SIGNALS = (
    *("arranged", "geometry", "metrics", "layers", "projections", "base_colour"),
    *("where", "shown", "visible", "chosen", "picked", "off"),
    *("focus", "layer", "projection", "dark", "benchmark"),
    *("map", "depth", "basis", "side", "rank", "loss", "decoding", "quantity"),
)
"""What charts can ask for; see `transforms`."""


class Chart(NamedTuple):
    """One chart of the page, and of the figures that show it."""

    draw: Callable[[Frame], dict[str, Any]]
    """Vega-Lite specification over the data set `rows`."""
    pipeline: Pipeline


class Panel(NamedTuple):
    """A section of the page with one chart."""

    id: str
    title: str
    intro: str
    """May hold terms of resources/explorer/definitions.json, as [[key]] or [[key|text]]."""
    table: str
    """Without this table there is no such section."""
    chart: str
    caption: str
    """What the marks beside the values are."""
    select: str = ""
    """Signal that a select sets to one of the values of the table's column of this name."""
    titles: Mapping[str, str] = {}
    """Of these values."""
    first: str = ""
    """Of these values, the one that shows the effect; the page starts with it."""
    inked: bool = False
    """Whether what is written inside the chart has colours of its own, as numbers on coloured cells have."""
    by_layer: bool = False
    """Whether rows have a layer, so that a table beside the chart gives the values at the layer chosen."""


def compiled(chart: Chart, frame: Frame) -> dict[str, Any]:
    """Return a chart as Vega: its marks, and the transforms that make its rows."""
    vega = vl_convert.vegalite_to_vega(json.dumps(chart.draw(frame)))
    pipeline = chart.pipeline
    sources = [{"name": name} for name in dict.fromkeys((pipeline.source, *pipeline.lookups))]
    rows = {"name": "rows", "source": pipeline.source, "transform": list(pipeline.transform)}
    drawn = {"type": "fold", "fields": list(pipeline.along), "as": ["column", "number"]}
    entries = {"type": "aggregate", "groupby": ["name", "line"]}
    derived = [
        {"name": "drawn", "source": "rows", "transform": [drawn]},
        {"name": "legend", "source": "rows", "transform": [entries]},
    ]
    rest = [source for source in vega["data"] if source["name"] != "rows"]
    vega["data"] = [*sources, rows, *derived, *rest]
    own = [_bounded(signal, pipeline.bounds) for signal in vega.get("signals", [])]
    asked = json.dumps([rows, dict(pipeline.bounds)])
    known = {signal["name"] for signal in own}
    given = [{"name": name} for name in (*SIGNALS, *pipeline.selects) if name not in known and _asks_for(asked, name)]
    vega["signals"] = [*given, {"name": "numbers", "update": "pluck(data('drawn'), 'number')"}, *own]
    for scale in vega["scales"]:
        if scale.get("domain") == [LEGEND]:
            scale |= {"domain": {"signal": "pluck(data('legend'), 'name')"}}
            scale |= {"range": {"signal": "pluck(data('legend'), 'line')"}}
    return vega


def _asks_for(text: str, name: str) -> bool:
    """Return whether expressions name a signal: not as a field of a row (`datum.layer`), nor as the name of a column."""
    return re.search(rf'(?<![.\w])(?:(?<!"){name}\b|{name}\b(?!"))', text) is not None


def _bounded(signal: dict[str, Any], bounds: Mapping[str, str]) -> dict[str, Any]:
    if signal["name"] not in bounds:
        return signal
    return {"name": signal["name"], "update": bounds[signal["name"]]}


def filled(vega: Mapping[str, Any], tables: Mapping[str, list], signals: Mapping[str, Any]) -> dict[str, Any]:
    """Return a compiled chart with the values of its signals and the rows of its tables; missing ones are empty."""
    return {
        **vega,
        "signals": [
            {**signal, "value": signals[signal["name"]]} if signal["name"] in signals else signal
            for signal in vega["signals"]
        ],
        "data": [
            source if {"source", "values"} & source.keys() else {**source, "values": tables.get(source["name"], [])}
            for source in vega["data"]
        ],
    }
