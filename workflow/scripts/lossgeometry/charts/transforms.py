"""The rows behind every chart, as Vega transforms over the bundle: the page and the figures evaluate the same ones.

A pipeline reads tables of the bundle, `pairs` and `runs` among them, and signals: parts of the bundle (`geometry`,
`metrics`, `layers`, `projections`, `base_colour`), what the controls say (`focus`, `projection`, `dark`, the choice of
every select), and what follows from that:

`where`    the layer that pairwise charts are read at, -1 for the whole model
`shown`    ids of the runs that take part
`visible`  ids of the pairs between them
`chosen`   ids of those drawn as lines and bars
`picked`   whether a reader has chosen them
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from lossgeometry.explorer.metrics import NORMAL_95

Transform = dict[str, Any]

LOOK = ("id", "name", "line", "dot", "dash", "order")
BAND = ("value", "low", "high")
WHISKER = ("from", "to")


class Pipeline(NamedTuple):
    """Rows of one chart."""

    source: str
    """Table that they start from."""
    transform: tuple[Transform, ...]
    lookups: tuple[str, ...] = ()
    """Further tables that are looked up."""
    selects: tuple[str, ...] = ()
    """Further signals, which selects of its panel set."""
    bounds: Mapping[str, str] = {}
    """Expressions of the parameters `floor`, `ceiling` and `form` of the value axis; the array `numbers` holds every
    number drawn along it."""
    along: tuple[str, ...] = (*BAND, *WHISKER)
    """Columns drawn along that axis."""


def filtered(expression: str) -> Transform:
    return {"type": "filter", "expr": expression}


def formulas(**expressions: str) -> list[Transform]:
    return [{"type": "formula", "as": name.rstrip("_"), "expr": text} for name, text in expressions.items()]


def kept(*fields: str, **renamed: str) -> Transform:
    """Keep fields, some under another name. No formula may overwrite what it, or another one, reads: they run again when a
    control is turned."""
    return {"type": "project", "fields": [*fields, *renamed.values()], "as": [*fields, *renamed]}


def flattened(field: str, expression: str) -> list[Transform]:
    return [*formulas(**{field: expression}), {"type": "flatten", "fields": [field]}]


def among(ids: str, field: str = "id") -> Transform:
    return filtered(f"indexof({ids}, datum.{field}) >= 0")


def measured(metric: str, layer: str = "where", projection: str = "projection", as_: Iterable[str] = BAND) -> list:
    """Return formulas of a metric's value and chance band at one place of the network; null where there is none."""
    block = f"geometry.metrics[{metric}]"
    row = f"[min(datum.order, length({block}.BAND) - 1)][geometry.places[{layer} + '/' + {projection}]]"
    there = f"{block} && datum.order < length({block}.value)"
    texts = (f"{there} ? {block}.{band}{row.replace('BAND', band)} : null" for band in BAND)
    return formulas(**dict(zip(as_, texts, strict=True)))


PAIR_COLOURS = formulas(line="datum.lines[dark ? 1 : 0]", dot="datum.dots[dark ? 1 : 0]")
NO_WHISKER = formulas(from_="null", to="null")
NO_BAND = formulas(band="null")
BANDLESS = {"low": "band", "high": "band"}
"""For `kept`, of rows whose columns `low` and `high` are ends of a whisker."""


def error_bars(value: str, error: str) -> list[Transform]:
    """Return the ends of a 95 % interval from a standard error; null without one."""
    return formulas(
        from_=f"isValid({error}) ? {value} - {NORMAL_95} * {error} : null",
        to=f"isValid({error}) ? {value} + {NORMAL_95} * {error} : null",
    )


def of_pairs(stage_rows: str) -> list[Transform]:
    """Return what gives rows with a `pair` its look: those chosen, or all visible ones where none of them is measured."""
    looked = ["name", "lines", "dots", "dash", "order"]
    return [
        filtered(stage_rows),
        among("visible", "pair"),
        *formulas(on="indexof(chosen, datum.pair) >= 0 ? 1 : 0"),
        {"type": "joinaggregate", "ops": ["max"], "fields": ["on"], "as": ["any"]},
        filtered("datum.on || !(datum.any || picked)"),
        {"type": "lookup", "from": "pairs", "key": "id", "fields": ["pair"], "values": looked},
        *formulas(id="datum.pair"),
        *PAIR_COLOURS,
    ]


def of_runs(order: str) -> list[Transform]:
    """Return what gives rows with a `run` its look; a run that is not in the table `runs` is the base."""
    return [
        {"type": "lookup", "from": "runs", "key": "id", "fields": ["run"], "values": ["name", "colour", "dash"]},
        *formulas(
            id="datum.run",
            name="isValid(datum.name) ? datum.name : datum.run",
            line="(isValid(datum.colour) ? datum.colour : base_colour)[dark ? 1 : 0]",
            dash="isValid(datum.dash) ? datum.dash : [1, 0]",
            order=order,
        ),
    ]


def stacked(x: str, y: str, width: float, gap: float) -> list[Transform]:
    """Return what sets labels that lie close to each other below one another: how far down, as `down`, and the least and the
    largest place of the points of one stack, as `left` and `right`.

    Parameters
    ----------
    x, y
        Columns of the points; rows say in `on` whether they have a label.
    width, gap
        Width and height of a label in their units.
    """
    running = {"type": "window", "frame": [None, 0], "ignorePeers": True, "ops": ["lag"]}
    falling = {"field": y, "order": "descending"}
    return [
        # Labels less than a label's width apart, one after another, stand in one stack ...
        running | {"sort": {"field": x}, "groupby": ["on"], "fields": [x], "as": ["before"]},
        *formulas(starts=f"isValid(datum.before) && datum.{x} - datum.before < {width} ? 0 : 1"),
        running | {"sort": {"field": x}, "groupby": ["on"], "ops": ["sum"], "fields": ["starts"], "as": ["stack"]},
        # ... from the top: y(i) = min over j <= i of value(j) + j gap, less i gap.
        running | {"sort": falling, "groupby": ["on", "stack"], "ops": ["row_number"], "as": ["within"]},
        *formulas(lifted=f"datum.{y} + {gap} * datum.within"),
        running | {"sort": falling, "groupby": ["on", "stack"], "ops": ["min"], "fields": ["lifted"], "as": ["lowest"]},
        *formulas(down=f"datum.{y} - (datum.lowest - {gap} * datum.within)"),
        {
            "type": "joinaggregate",
            "groupby": ["on", "stack"],
            "ops": ["min", "max"],
            "fields": [x, x],
            "as": ["left", "right"],
        },
    ]


def metric_bounds(metric: str) -> dict[str, str]:
    """Return a metric's own range, but a signed one starts at the lowest value or chance level that is shown."""
    known = f"metrics[{metric}]"
    return {
        "floor": f"{known}.low < 0 ? max({known}.low, min(-0.05, extent(numbers)[0] - 0.04)) : {known}.low",
        "ceiling": f"{known}.high",
        "form": f"{known}.angle ? '.0f' : '.1f'",
    }


_SPAN = "(extent(numbers)[1] - extent(numbers)[0] || abs(extent(numbers)[1]) || 1)"
FREE_BOUNDS = {
    "floor": f"extent(numbers)[0] - 0.06 * {_SPAN}",
    "ceiling": f"extent(numbers)[1] + 0.06 * {_SPAN}",
    # As many decimals as tell a fifth of the range apart.
    "form": f"'.' + min(7, max(1, ceil(1 - log(1.12 * {_SPAN}) / LN10))) + 'f'",
}
