"""Where a value belongs (module, layer, projection, whole model), and the rows of tidy tables."""

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from lossgeometry.geometry.nulls import UNDEFINED
from lossgeometry.geometry.pooling import Measurement, Similarity, pool
from lossgeometry.updates.names import block_of, is_one_stack, layers_of, projection_of

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


def places_of(modules: Iterable[str]) -> dict[str, Place]:
    """Return the place of every module; its layer is as `names.layers_of` says for all of them together."""
    return {
        module: Place("module", module, layer, projection_of(module)) for module, layer in layers_of(modules).items()
    }


def places(modules: list[str], known: Iterable[str] = ()) -> Iterator[tuple[Place, list[str]]]:
    """Return every place with the modules that it pools, from the whole model down to single modules.

    A layer is a block: where a model has several stacks, the name of the block is in the field `module`.

    Parameters
    ----------
    modules
        The modules to pool.
    known
        Further modules that the layers are numbered among.
    """
    places = places_of(dict.fromkeys([*modules, *known]))
    yield Place("global", "", None, ""), modules
    for projection in sorted({places[module].projection for module in modules}):
        yield Place("projection", "", None, projection), [m for m in modules if places[m].projection == projection]
    blocks = {block_of(module): places[module].layer or 0 for module in modules if block_of(module)}
    one_stack = is_one_stack(block for block in map(block_of, places) if block)
    for block, layer in sorted(blocks.items(), key=lambda item: item[1]):
        yield Place("layer", "" if one_stack else block, layer, ""), [m for m in modules if block_of(m) == block]
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
