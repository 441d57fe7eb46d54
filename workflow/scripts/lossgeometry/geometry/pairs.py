"""The pairwise geometry of two runs: every measurement at every scope, as rows of tidy tables."""

import math
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import numpy as np

from lossgeometry.errors import InputError
from lossgeometry.geometry.layer_shift import Lean, shift_levels
from lossgeometry.geometry.modules import Overlaps, Setting, measure_module
from lossgeometry.geometry.pooling import Measurement, pool, widest_first
from lossgeometry.geometry.scopes import Key, Row, places, places_of, rows_of
from lossgeometry.updates.alignment import named_like
from lossgeometry.updates.svd import CompactSVD
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


def compare_pair(a: Update, b: Update, names: tuple[str, str], k: int, reference: int = 0) -> PairGeometry:
    """Return the geometry of a pair.

    Parameters
    ----------
    a, b
        The two updates.
    names
        Their run ids, for notes.
    k
        Leading directions to compare. Where a module has fewer, angles are undefined, and they are given once more at
        the largest number that nine in ten of the nonzero modules have; notes count the others.
    reference
        Which of the two the orthogonal fraction is measured against: 0 or 1.

    Raises
    ------
    InputError
        If the two have no module of equal shape in common.
    """
    b = named_like(b, a)
    common, left_out = _match(a, b, names)
    known = [*a.modules, *b.modules]
    available = _available([min(a.largest_rank(module), b.largest_rank(module)) for module in common], k)
    measured, maps, ranks = _measured(a, b, common, known, Setting(names, (k, available), reference))
    if available != _available(ranks, k):
        available = _available(ranks, k)
        measured, maps, _ = _measured(a, b, common, known, Setting(names, (k, available), reference))
    scopes = list(places(common, known))
    for scope, members in scopes:
        if scope.scope == "projection":
            widest_first([measured[module] for module in members])
    rows = [row for scope, members in scopes for row in rows_of(scope, [measured[name] for name in members])]
    notes = [f"over {len(common)} modules; {len(left_out)} not compared"] if left_out else []
    if a.base and b.base and a.base.casefold() != b.base.casefold():
        notes.append(
            f"other bases, {a.base} and {b.base}: directions mean the same only if one was made from the other"
        )
    if notes:
        rows[0] = rows[0]._replace(note="; ".join(filter(None, [rows[0].note, *notes])))
    return PairGeometry(rows + left_out, list(_map_rows(maps, measured, known, available)))


def _available(ranks: list[int], k: int) -> int:
    """Return how many directions, k at most, nine in ten of the modules with any have."""
    moved = sorted(rank for rank in ranks if rank)
    return min(k, moved[len(moved) // 10]) if moved else k


def _measured(
    a: Update, b: Update, common: list[str], known: list[str], setting: Setting
) -> tuple[dict[str, dict[Key, Measurement | str]], dict[str, dict[str, np.ndarray]], list[int]]:
    """Return what is measured on each module, the similarity maps of those with enough directions, and all ranks."""
    measured: dict[str, dict[Key, Measurement | str]] = {}
    maps: dict[str, dict[str, np.ndarray]] = {}
    ranks: list[int] = []
    lean = Lean()
    groups: dict[tuple, list[str]] = {}
    place = places_of(known)
    for index, module in enumerate(common):
        svd_a, svd_b = a.svd(module), b.svd(module)
        overlaps = Overlaps.of(svd_a, svd_b)
        measured[module] = measure_module(svd_a, svd_b, overlaps, index, setting)
        ranks.append(min(svd_a.rank, svd_b.rank))
        if ranks[-1]:
            group = (place[module].projection, svd_a.shape, svd_a.rank, svd_b.rank)
            groups.setdefault(group, []).append(module)
            lean.add(group, svd_a, svd_b)
        if ranks[-1] >= setting.available:
            maps[module] = {
                side: _similarity_map(overlap, setting.available) for side, overlap in overlaps._asdict().items()
            }
    for group, members in groups.items():
        shift_levels(
            [measured[module] for module in members],
            lean.found(group),
            partial(_decomposed, a, b, members),
        )
    return measured, maps, ranks


def _decomposed(a: Update, b: Update, modules: list[str]) -> Iterator[tuple[CompactSVD, CompactSVD]]:
    return ((a.svd(module), b.svd(module)) for module in modules)


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


def _similarity_map(overlap: np.ndarray, k: int) -> np.ndarray:
    """Return norm(overlap[:i, :j])^2 / min(i, j) for i, j = 1..k."""
    counts = np.arange(1, k + 1)
    squares = overlap[:k, :k] ** 2
    return squares.cumsum(axis=0).cumsum(axis=1) / np.minimum.outer(counts, counts)


def _map_rows(
    maps: dict[str, dict[str, np.ndarray]], measured: dict[str, dict[Key, Measurement | str]], known: list[str], k: int
) -> Iterator[MapRow]:
    """Return the similarity maps, averaged over the modules of each layer, of each projection and of the model.

    By chance every (u_i' v_j)^2 has one mean, so that the level of i and j directions is max(i, j) / k times that of k.
    """
    counts = np.arange(1, k + 1)
    for place, members in places(list(maps), known):
        if place.scope == "module" or not members:
            continue
        for side in ("output", "input"):
            values = np.mean([maps[module][side] for module in members], axis=0)
            level = pool([measured[module]["grassmann", side, k] for module in members])[1].mean
            chance = np.maximum.outer(counts, counts) * (level / k)
            for (i, j), value in np.ndenumerate(values):
                yield MapRow(
                    place.scope, place.layer, place.projection, side, i + 1, j + 1, float(value), float(chance[i, j])
                )
