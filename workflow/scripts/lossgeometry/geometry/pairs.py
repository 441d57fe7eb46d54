"""The pairwise geometry of two runs: every measurement at every scope, as rows of tidy tables."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from lossgeometry.errors import InputError
from lossgeometry.geometry.modules import Setting, measure_module
from lossgeometry.geometry.pooling import Measurement
from lossgeometry.geometry.scopes import Key, Row, places, places_of, rows_of
from lossgeometry.updates.alignment import named_like
from lossgeometry.updates.update import Update


class MapRow(NamedTuple):
    """Similarity norm(U_i' U_j)^2 / min(i, j) of the i and j leading directions; the columns of grassmann.parquet."""

    scope: str
    layer: int | None
    projection: str
    side: str
    i: int
    j: int
    value: float
    null_mean: float


class PairGeometry(NamedTuple):
    """All that is measured on a pair of runs."""

    rows: list[Row]
    maps: list[MapRow]


def compare_pair(
    a: Update, b: Update, names: tuple[str, str], k: int, shared_init: bool, reference: int = 0
) -> PairGeometry:
    """Return the geometry of a pair.

    Parameters
    ----------
    a, b
        The two updates.
    names
        Their run ids, for notes.
    k
        Leading directions to compare. Where a module has fewer, angles are undefined, and they are given once more at
        the
        largest number that every nonzero module has.
    shared_init
        Whether both adapters started from one A, which raises the chance level of everything that reads the input side.
    reference
        Which of the two the orthogonal fraction is measured against: 0 or 1.

    Raises
    ------
    InputError
        If the two have no module of equal shape in common.
    """
    b = named_like(b, a)
    common, left_out = _match(a, b, names)
    ranks = [min(a.rank(module), b.rank(module)) for module in common]
    available = min([k, *(rank for rank in ranks if rank)])
    setting = Setting(names, tuple(sorted({k, available})), shared_init, reference)
    measured: dict[str, dict[Key, Measurement | str]] = {}
    maps: dict[str, dict[str, np.ndarray]] = {}
    for module in common:
        svd_a, svd_b = a.svd(module), b.svd(module)
        outputs, inputs = a.shape(module)
        space = min(inputs, max(a.adapter_rank(module), b.adapter_rank(module))) if shared_init else inputs
        measured[module] = measure_module(svd_a, svd_b, space, setting)
        if svd_a.rank and svd_b.rank:
            maps[module] = {
                "output": _similarity_map(svd_a.u, svd_b.u, outputs, available),
                "input": _similarity_map(svd_a.v, svd_b.v, space, available),
            }
    known = [*a.modules, *b.modules]
    rows = [
        row for place, members in places(common, known) for row in rows_of(place, [measured[name] for name in members])
    ]
    if left_out:
        rows[0] = rows[0]._replace(note=f"over {len(common)} modules; {len(left_out)} not compared")
    return PairGeometry(rows + left_out, list(_map_rows(maps, known)))


def _match(a: Update, b: Update, names: tuple[str, str]) -> tuple[list[str], list[Row]]:
    """Return the modules that both have in the same shape, and a row with the reason for each of the others."""
    common, reasons = [], {}
    for module in a.modules:
        if module not in b.modules:
            reasons[module] = f"only in {names[0]}"
        elif a.shape(module) != b.shape(module):
            reasons[module] = f"shapes differ: {a.shape(module)} in {names[0]}, {b.shape(module)} in {names[1]}"
        else:
            common.append(module)
    reasons |= {module: f"only in {names[1]}" for module in b.modules if module not in a.modules}
    if not common:
        example = next(iter(reasons.items()))
        raise InputError(
            f"{names[0]} and {names[1]} have no module of equal shape in common ({example[0]}: {example[1]}); "
            "compare adapters of one base model with at least one target module in common"
        )
    nothing = (math.nan, math.nan, math.nan)
    place = places_of([*a.modules, *b.modules])
    return common, [Row(*place[module], "cosine", "none", None, *nothing, note) for module, note in reasons.items()]


def _similarity_map(x: np.ndarray, y: np.ndarray, dimension: int, k: int) -> np.ndarray:
    """Return norm(x[:, :i]' y[:, :j])^2 / min(i, j) and its chance level for i, j = 1..k, as (2, k, k)."""
    counts = np.arange(1, k + 1)
    overlap = (x[:, :k].T @ y[:, :k]) ** 2
    similarity = overlap.cumsum(axis=0).cumsum(axis=1) / np.minimum.outer(counts, counts)
    return np.stack([similarity, np.maximum.outer(counts, counts) / dimension])


def _map_rows(maps: dict[str, dict[str, np.ndarray]], known: list[str]) -> Iterator[MapRow]:
    """Return the similarity maps, averaged over the modules of each layer, of each projection and of the model."""
    for place, members in places(list(maps), known):
        if place.scope == "module" or not members:
            continue
        for side in ("output", "input"):
            values, chance = np.mean([maps[module][side] for module in members], axis=0)
            for (i, j), value in np.ndenumerate(values):
                yield MapRow(
                    place.scope, place.layer, place.projection, side, i + 1, j + 1, float(value), float(chance[i, j])
                )
