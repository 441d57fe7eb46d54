"""Where a value belongs (module, layer, projection, whole model), and the rows of tidy tables."""

import math
from collections.abc import Iterator
from typing import NamedTuple

from lossgeometry.geometry.nulls import UNDEFINED
from lossgeometry.geometry.pooling import Measurement, Similarity, pool

Key = tuple[str, str, int]
"""Metric, side (output, input or none) and number of directions (0 where it takes none)."""


class Place(NamedTuple):
    """What a row describes; empty fields are pooled over."""

    scope: str
    module: str
    layer: int | None
    projection: str


class Row(NamedTuple):
    """One value; the fields are the columns of geometry.parquet."""

    scope: str
    module: str
    layer: int | None
    projection: str
    metric: str
    side: str
    k: int | None
    value: float
    null_mean: float
    null_sd: float
    note: str


def place_of(module: str) -> Place:
    """Return the place of a module: layer is the first number in its name, projection the last part without `_proj`."""
    parts = module.split(".")
    layer = next((int(part) for part in parts if part.isdigit()), None)
    return Place("module", module, layer, parts[-1].removesuffix("_proj"))


def places(modules: list[str]) -> Iterator[tuple[Place, list[str]]]:
    """Return every place with the modules that it pools, from the whole model down to single modules."""
    places = {module: place_of(module) for module in modules}
    yield Place("global", "", None, ""), modules
    for projection in sorted({place.projection for place in places.values()}):
        yield Place("projection", "", None, projection), [m for m in modules if places[m].projection == projection]
    for layer in sorted({place.layer for place in places.values()} - {None}):
        yield Place("layer", "", layer, ""), [m for m in modules if places[m].layer == layer]
    for module in modules:
        yield places[module], [module]


def rows_of(place: Place, members: list[dict[Key, Measurement | str]]) -> Iterator[Row]:
    """Return the rows of one place: each measurement pooled over the modules where it is defined."""
    for metric, side, k in members[0]:
        found = [member[metric, side, k] for member in members]
        defined = [item for item in found if not isinstance(item, str)]
        reasons = sorted({item for item in found if isinstance(item, str)})
        note = "; ".join(reasons)
        value, null = pool(defined) if defined else (math.nan, UNDEFINED)
        if defined and reasons:
            note = f"{len(found) - len(defined)} of {len(found)} modules left out: {note}"
        levels = sorted({item.note for item in defined if isinstance(item, Similarity) and item.note})
        note = "; ".join([note, *levels] if note else levels)
        if math.isnan(value) and not note:
            note = "; ".join(sorted({item for member in members for item in member.values() if isinstance(item, str)}))
        yield Row(*place, metric, side, k or None, value, *null, note)
