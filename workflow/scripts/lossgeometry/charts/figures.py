"""The publication figures: the charts' definitions with their rows filled in, as SVG and PNG, without a browser."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import vl_convert

from lossgeometry.charts.depth import depth_chart
from lossgeometry.charts.maps import map_chart
from lossgeometry.charts.parts import Frame
from lossgeometry.charts.planes import basis_chart, path_chart, training_chart
from lossgeometry.charts.spread import SERIES, accuracy_chart, bar_chart, robustness_chart, whisker_chart
from lossgeometry.explorer.metrics import ESTIMATORS, LOSSES, METRICS, RUN_METRICS
from lossgeometry.explorer.rows import Rows
from lossgeometry.files.atomic import atomic_file

PIXELS_PER_POINT = 2.5
MOST_RUNS = 14
"""A figure shows at most this many runs; the page shows them all."""


def figure_specs(bundle: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the Vega-Lite specification of every figure that the bundle has data for, by name."""
    rows = Rows(bundle)
    default = [run["id"] for run in bundle["runs"] if run["arm"] == "default"][:MOST_RUNS]
    pairs = bundle["default_pairs"]
    found: dict[str, dict[str, Any] | None] = {}
    if "geometry" in bundle:
        legend = [rows.look(pair) for pair in pairs]
        side = Frame(figure=True, width=420, height=250, legend=legend)
        plain = Frame(figure=True, width=420)
        square = Frame(figure=True, width=46 * len(default))
        found["cosine_map"] = _filled(map_chart(square, len(default)), rows.map("cosine", default))
        for name, metric in (("cosine_by_layer", "cosine"), ("alignment_by_layer", "gram_alignment.output")):
            found[name] = _bounded(
                depth_chart(side, bundle["layers"], METRICS[metric].title), rows.depth(metric, pairs), METRICS[metric]
            )
        orthogonal = [row for row in rows.depth("orthogonal_fraction", pairs)]
        found["orthogonal_by_layer"] = _bounded(
            depth_chart(side, bundle["layers"], METRICS["orthogonal_fraction"].title),
            orthogonal,
            METRICS["orthogonal_fraction"],
        )
        basis = rows.basis("top_direction.output", pairs)
        found["output_directions"] = _ranged(
            basis_chart(side, METRICS["top_direction.output"].title), basis, "cosine", -1, 1
        )
        k = bundle["k"].get("angle_first.output", "k")
        title = f"first to last of {k} principal angles, output side (°)"
        found["principal_angles"] = _bounded(
            whisker_chart(plain, title, last=True), rows.angles("output", pairs), METRICS["angle_first.output"]
        )
        for metric in ("norm", "effective_rank"):
            found[metric] = _filled(bar_chart(plain, RUN_METRICS[metric]), rows.run_metric(metric, default))
        robust = rows.robustness(SERIES)
        found["seeds_and_learning_rates"] = _bounded(
            robustness_chart(Frame(figure=True, width=420)), robust, METRICS["cosine"]
        )
    found |= _function_space(bundle, rows)
    for benchmark in dict.fromkeys(row["benchmark"] for row in rows.table("accuracy")):
        found[f"accuracy_{benchmark}"] = _filled(
            accuracy_chart(Frame(figure=True, width=420), f"greedy accuracy on {benchmark}"),
            rows.accuracies(benchmark, "greedy"),
        )
    curves = rows.training("loss", default)
    names = list({row["name"]: row for row in curves}.values())
    frame = Frame(figure=True, width=420, height=220, legend=names)
    found["training_loss"] = _filled(training_chart(frame, "training loss; each method has a scale of its own"), curves)
    return {name: spec for name, spec in found.items() if spec is not None}


def _function_space(bundle: Mapping[str, Any], rows: Rows) -> dict[str, dict[str, Any] | None]:
    found: dict[str, dict[str, Any] | None] = {}
    for loss in dict.fromkeys(row["loss"] for row in rows.table("connectivity")):
        shown = _shown(bundle, {row["pair"] for row in rows.table("connectivity")})
        frame = Frame(figure=True, width=420, height=250, legend=[rows.look(pair) for pair in shown])
        found[f"connectivity_{loss}"] = _filled(path_chart(frame, LOSSES.get(loss, loss)), rows.paths(loss, shown))
    for estimator in dict.fromkeys(row["estimator"] for row in rows.table("cka")):
        shown = _shown(bundle, {row["pair"] for row in rows.table("cka")})
        frame = Frame(figure=True, width=420, height=250, legend=[rows.look(pair) for pair in shown])
        chart = depth_chart(frame, bundle["layers"], ESTIMATORS.get(estimator, estimator))
        found[f"representations_{estimator}"] = _ranged(chart, rows.similarity(estimator, shown), "value", None, None)
    return found


def _shown(bundle: Mapping[str, Any], measured: Iterable[str]) -> list[str]:
    """Return the default pairs among those measured, or all measured where none is."""
    order = [pair["id"] for pair in bundle["pairs"] if pair["id"] in measured]
    return [pair for pair in order if pair in bundle["default_pairs"]] or order


def _filled(spec: dict[str, Any], rows: list[dict[str, Any]], **parameters: Any) -> dict[str, Any] | None:
    """Return a specification with its rows and parameters, or None where there is nothing to show."""
    if not any(row.get("value", row.get("similarity")) is not None for row in rows):
        return None
    for parameter in spec["params"]:
        parameter["value"] = parameters.get(parameter["name"], parameter["value"])
    return {**spec, "datasets": {"rows": rows}}


def _bounded(spec: dict[str, Any], rows: list[dict[str, Any]], metric) -> dict[str, Any] | None:
    """Return a specification whose axis covers the metric's range; a signed one starts at the lowest value shown."""
    return _ranged(spec, rows, "value", metric.low, metric.high, ".0f" if metric.angle else ".1f")


def _ranged(
    spec: dict[str, Any], rows: list[dict[str, Any]], field: str, low: float | None, high: float | None, form: str = ""
) -> dict[str, Any] | None:
    fields = (field, "low", "from", "to", "high") if field == "value" else (field, f"{field}_low")
    values = [row[name] for row in rows for name in fields if row.get(name) is not None]
    if not values:
        return None
    margin = 0.06 * ((max(values) - min(values)) or 1)
    floor = min(values) - margin if low is None or low < 0 else low
    ceiling = max(values) + margin if high is None else high
    # As many decimals as tell a fifth of the range apart.
    decimals = min(7, max(1, math.ceil(1 - math.log10(ceiling - floor))))
    bounded = floor if low is None else max(floor, low)
    return _filled(spec, rows, floor=bounded, ceiling=ceiling, form=form or f".{decimals}f")


def draw_figures(bundle: Mapping[str, Any], outputs: Sequence[Path]) -> None:
    """Write figures as their suffix says, svg or png; one whose values are all undefined says so instead.

    Parameters
    ----------
    outputs
        `<name>.svg` and `<name>.png`, with the names of `outputs.figures_of`.
    """
    specs = figure_specs(bundle)
    for path in outputs:
        text = json.dumps(specs.get(path.stem) or _undefined(path.stem))
        drawn = (
            vl_convert.vegalite_to_svg(text).encode()
            if path.suffix == ".svg"
            else vl_convert.vegalite_to_png(text, scale=PIXELS_PER_POINT)
        )
        with atomic_file(path) as partial:
            partial.write_bytes(drawn)


def _undefined(name: str) -> dict[str, Any]:
    says = f"{name.replace('_', ' ')}: undefined in every run or pair; the tables say why"
    return {"data": {"values": [{}]}, "width": 420, "height": 40, "mark": {"type": "text", "text": says}}
