"""The charts of the weight updates: who moved where, by layer, by matrix, and how far."""

import json
from functools import partial

from lossgeometry.charts.chart import Chart
from lossgeometry.charts.depth import depth_chart
from lossgeometry.charts.maps import STEP, map_chart
from lossgeometry.charts.places import places_chart, strips_chart
from lossgeometry.charts.planes import basis_chart
from lossgeometry.charts.spread import robustness_chart, strip_chart, whisker_chart
from lossgeometry.charts.transforms import (
    BAND,
    LOOK,
    NO_WHISKER,
    PAIR_COLOURS,
    WHISKER,
    Pipeline,
    among,
    filtered,
    flattened,
    formulas,
    kept,
    measured,
    metric_bounds,
    of_runs,
    stacked,
)
from lossgeometry.explorer.metrics import SERIES

LABEL_GAP, FARTHEST_LABEL, LABEL_WIDTH = 0.055, 0.17, 0.3
"""In the units of the axes: height of a label, how far it may be set below its point, and its width."""
LABEL_PIXELS = 225


def directions() -> Pipeline:
    """Every pair of runs shown, above and below the diagonal of the map."""
    known = "metrics[map]"
    verdict = "geometry.metrics[map].verdict[datum.order][geometry.places[where + '/' + projection]]"
    ends = formulas(from_="datum.ends[0]", to="datum.ends[1]")
    whole = "geometry.places[where + '/' + projection] === 0"

    def beside(name: str) -> str:
        number = f"geometry.metrics[map].{name}[datum.order]"
        return f"{whole} && isValid({number}) ? format({number}, {known}.format) : '–'"

    text = f"{known}.angle ? format(datum.value, '.0f') + '°' : format(datum.value, '.2f')"
    band = f"format(datum.low, {known}.format) + ' to ' + format(datum.high, {known}.format)"
    return Pipeline(
        "pairs",
        (
            among("visible"),
            *PAIR_COLOURS,
            *measured("map"),
            filtered("isValid(datum.value)"),
            *formulas(
                inside=f"{verdict} === 'i'",
                text=text,
                chance=f"isValid(datum.low) ? {band} : '–'",
                control=beside("control"),
                replicate=beside("replicate"),
                similarity=f"{known}.angle ? 1 - datum.value / 90 : datum.value",
                edge="datum.line",
            ),
            *flattened("ends", "[[datum.a, datum.b], [datum.b, datum.a]]"),
            *ends,
            {"type": "lookup", "from": "runs", "key": "id", "fields": ["from", "to"], "as": ["first", "second"]},
            *formulas(
                row="datum.first.name",
                column="datum.second.name",
                row_order="indexof(arranged, datum.from)",
                column_order="indexof(arranged, datum.to)",
            ),
            kept(
                *("id", "name", "row", "column", "row_order", "column_order"),
                *("text", "chance", "control", "replicate", "value", "low", "high", "similarity", "inside", "edge"),
            ),
        ),
        ("runs",),
        bounds=STEP,
    )


def matrices(pairs: str) -> Pipeline:
    """The cosine of every matrix; `pairs` is an expression that says which pairs take part."""
    band = "format(datum.low, '.2f') + ' to ' + format(datum.high, '.2f')"
    verdict = "geometry.metrics.cosine.verdict[datum.order][geometry.places[datum.layer + '/' + datum.kind]]"
    return Pipeline(
        "pairs",
        (
            filtered(pairs),
            *flattened("kind", "slice(projections)"),
            *flattened("layer", "sequence(layers)"),
            *measured("'cosine'", "datum.layer", "datum.kind"),
            *formulas(
                similarity="datum.value",
                inside=f"{verdict} === 'i'",
                text="format(datum.value, '.2f')",
                chance=f"isValid(datum.low) ? {band} : '–'",
                place="datum.kind + ' ' + datum.layer",
            ),
            kept("id", "name", "order", "layer", "kind", "place", "text", "chance", "similarity", "inside", *BAND),
        ),
    )


def by_layer() -> Pipeline:
    """A metric of the chosen pairs at every layer."""
    return Pipeline(
        "pairs",
        (
            among("chosen"),
            *PAIR_COLOURS,
            *flattened("layer", "sequence(layers)"),
            *measured("depth", "datum.layer"),
            *NO_WHISKER,
            kept(*LOOK, "layer", *BAND, *WHISKER),
        ),
        bounds=metric_bounds("depth"),
    )


def outputs_against_cosine() -> Pipeline:
    """A metric of the outputs against the cosine; labels that lie close to each other are set below one another."""
    columns = ("cosine", "cosine_low", "cosine_high")
    return Pipeline(
        "pairs",
        (
            filtered("indexof(visible, datum.id) >= 0 || (datum.kind === 'seeds' && indexof(off, datum.label) < 0)"),
            *PAIR_COLOURS,
            *measured("'cosine'", as_=columns),
            *measured("basis"),
            *formulas(on="indexof(chosen, datum.id) >= 0 && datum.kind !== 'seeds'", twins="datum.kind === 'seeds'"),
            *stacked("cosine", "value", LABEL_WIDTH, LABEL_GAP),
            *formulas(
                label=f"datum.on && (datum.down <= {FARTHEST_LABEL} || datum.id === focus) ? datum.tag : ''",
                shift=f"round({LABEL_PIXELS} * datum.down)",
            ),
            kept(*LOOK, *columns, *BAND, "on", "twins", "shift", tag="label"),
        ),
        bounds={"floor": "min(-0.05, extent(numbers)[0] - 0.03)"},
        along=("cosine", "cosine_low"),
    )


def angles() -> Pipeline:
    """The first angle of the chosen pairs, its chance band, and a whisker up to the last."""
    last = measured("'angle_last.' + side", as_=("to", "_low", "_high"))[:1]
    return Pipeline(
        "pairs",
        (
            among("chosen"),
            *PAIR_COLOURS,
            *measured("'angle_first.' + side"),
            *formulas(from_="datum.value"),
            *last,
            kept(*LOOK, *BAND, *WHISKER),
        ),
        bounds={"floor": "0", "ceiling": "90", "form": "'.0f'"},
    )


def by_projection() -> Pipeline:
    """The metric of the chart by layer, for every projection of the pair in focus."""
    metric = "(indexof(geometry.projected, depth) >= 0 ? depth : 'cosine')"
    return Pipeline(
        "pairs",
        (
            filtered("datum.id === focus"),
            *PAIR_COLOURS,
            *flattened("name", "projections"),
            *measured(metric, projection="datum.name"),
            *formulas(place="indexof(projections, datum.name)"),
            *NO_WHISKER,
            kept("id", "name", "line", "dot", "dash", *BAND, *WHISKER, order="place"),
        ),
        bounds=metric_bounds(metric),
    )


def of_single_runs(metric: str) -> Pipeline:
    """A metric of every run shown; `metric` is an expression."""
    chosen = f"datum.metric === {metric} && datum.layer === where"
    return Pipeline(
        "run_metrics",
        (
            filtered(chosen),
            *of_runs("indexof(arranged, datum.run)"),
            {"type": "lookup", "from": "runs", "key": "id", "fields": ["run"], "values": ["title", "arm", "label"]},
            filtered("indexof(off, datum.label) < 0"),
            *formulas(
                kind="datum.arm === 'learning_rate' ? 'other learning rate' :"
                " datum.arm === 'default' || datum.arm === 'seed' ? 'own learning rate' : 'control or edit'"
            ),
            kept("id", "name", "title", "line", "order", "arm", "kind", "value"),
        ),
        ("runs",),
    )


def robustness() -> Pipeline:
    """Several metrics of the pairs of one method, whatever runs are shown beside the default ones."""
    return Pipeline(
        "pairs",
        (
            filtered("datum.kind !== 'methods' && indexof(off, datum.label) < 0"),
            *PAIR_COLOURS,
            *flattened("metric", json.dumps(list(SERIES))),
            *measured("datum.metric"),
            *formulas(series=f"({json.dumps({key: title for key, (title, _) in SERIES.items()})})[datum.metric]"),
            kept(*LOOK, "series", *BAND),
        ),
        bounds=metric_bounds("'cosine'"),
        along=BAND,
    )


CHARTS = {
    "map": Chart(map_chart, directions()),
    "depth": Chart(depth_chart, by_layer()),
    "projections": Chart(whisker_chart, by_projection()),
    "where": Chart(places_chart, matrices("datum.id === focus")),
    "where_all": Chart(strips_chart, matrices("indexof(chosen, datum.id) >= 0")),
    "basis": Chart(basis_chart, outputs_against_cosine()),
    "angles": Chart(partial(whisker_chart, last=True), angles()),
    "norm": Chart(strip_chart, of_single_runs("'norm'")),
    "rank": Chart(strip_chart, of_single_runs("rank")),
    "robustness": Chart(robustness_chart, robustness()),
}
