"""The publication figures: the page's charts as they stand before a control is turned, as SVG, PDF and PNG."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import vl_convert

from lossgeometry.charts.chart import compiled, filled
from lossgeometry.charts.parts import Frame
from lossgeometry.charts.pdf import canonical
from lossgeometry.explorer.page import charts_of
from lossgeometry.explorer.view import chart_tables, signals
from lossgeometry.files.atomic import atomic_file
from lossgeometry.stage import SUFFIXES, Figure

PIXELS_PER_POINT = 2.5
UNDEFINED = "undefined in every run or pair; the tables say why"
COUNTED = re.compile(r"(?<=[\"#])(?:clip|gradient_)\d+(?=[\")])")
CELL = 46
"""Width of a run in a map."""


def figure_spec(bundle: Mapping[str, Any], figure: Figure) -> dict[str, Any]:
    """Return the Vega specification of a figure, complete with its rows."""
    k = bundle.get("k", {}).get("angle_first.output", "k")
    width = CELL * sum(run["arm"] == "default" for run in bundle["runs"]) if figure.chart == "map" else figure.width
    frame = Frame(figure=True, width=width, height=figure.height, title=figure.title.format(k=k))
    vega = compiled(charts_of(bundle)[figure.chart], frame)
    says = {"signal": f"isValid(extent(numbers)[0]) ? '' : '{UNDEFINED}'"}
    vega["marks"].append({"type": "text", "encode": {"update": {"text": says, "y": {"value": 12}}}})
    return filled(vega, chart_tables(bundle), signals(bundle, dict(figure.state)))


def draw_figures(bundle: Mapping[str, Any], figures: Sequence[Figure], folder: Path) -> None:
    """Write every figure in every format of `SUFFIXES`; one whose values are all undefined says so instead."""
    for figure in figures:
        spec = figure_spec(bundle, figure)
        svg = vl_convert.vega_to_svg(spec)
        if UNDEFINED in svg:  # without a value there is no axis either, and no size to draw at
            spec = _sentence(f"{figure.name.replace('_', ' ')}: {UNDEFINED}")
            svg = vl_convert.vega_to_svg(spec)
        png = vl_convert.svg_to_png(svg, scale=PIXELS_PER_POINT)
        pdf = canonical(vl_convert.svg_to_pdf(svg))
        for suffix, drawn in zip(SUFFIXES, (_renumbered(svg).encode(), pdf, png), strict=True):
            with atomic_file(folder / f"{figure.name}.{suffix}") as partial:
                partial.write_bytes(drawn)


def _renumbered(svg: str) -> str:
    """Return an SVG whose clips and gradients count from 1, whatever was drawn before it in this process."""
    order = {name: f"part{number}" for number, name in enumerate(dict.fromkeys(COUNTED.findall(svg)), 1)}
    return COUNTED.sub(lambda found: order[found[0]], svg)


def _sentence(text: str) -> dict[str, Any]:
    mark = {"type": "text", "encode": {"update": {"text": {"value": text}, "y": {"value": 20}}}}
    return {"width": 420, "height": 40, "marks": [mark]}
