"""Do two updates change the same entries of the base? At their own norms and at an equal one, beside random directions."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from lossgeometry.base_relations.relations import random_updates
from lossgeometry.base_relations.sparsity import at_equal_norm, changed_entries
from lossgeometry.errors import InputError
from lossgeometry.files.safetensors import TensorFolder
from lossgeometry.updates.svd import CompactSVD
from lossgeometry.updates.update import Update

OWN, EQUAL = "own", "equal"


class Overlap(NamedTuple):
    """One row of `tables/changed_entries.csv`."""

    run_a: str
    run_b: str
    at_norm: str
    overlap: float
    null_mean: float
    null_sd: float
    note: str


def overlaps(updates: Mapping[str, Update], weights: TensorFolder, pairs: Sequence[tuple[str, str]]) -> list[Overlap]:
    """Return, for every pair, the entries that both change over those that either changes, over the modules of both.

    The level is that of the first update with the second one's singular values in random directions: entries of W that are
    small are changed by any update, so that independent updates overlap too.

    Parameters
    ----------
    updates
        By run.
    weights
        The base.

    Raises
    ------
    InputError
        If the base lacks a module of an update.
    """
    counts: dict[tuple[str, str, str], np.ndarray] = {}
    for module in dict.fromkeys(module for update in updates.values() for module in update.modules):
        masks = _masks(module, updates, weights)
        for a, b in pairs:
            for norm in (OWN, EQUAL) if a in masks and b in masks else ():
                first, (second, *drawn) = masks[a][norm][0], masks[b][norm]
                found = [_shared(first, other) for other in (second, *drawn)]
                counts[a, b, norm] = counts.get((a, b, norm), 0) + np.array(found)
    return [_row(a, b, norm, counts.get((a, b, norm))) for a, b in pairs for norm in (OWN, EQUAL)]


def _masks(module: str, updates: Mapping[str, Update], weights: TensorFolder) -> dict[str, dict[str, list[np.ndarray]]]:
    """Return, by run and norm, the entries that its update changes, and those that its random directions do."""
    found = {}
    for run, update in updates.items():
        if module not in update.modules:
            continue
        svd = update.svd(module)
        if not svd.rank:
            continue
        shape = update.shape(module)
        if weights.shapes.get(f"{module}.weight") != (shape[::-1] if module in update.transposed else shape):
            raise InputError(
                f"{run} updates {module} {shape}, which the base has not in this shape; set geometry.relation_to_base to"
                " false, or name the base model of this adapter as the student"
            )
        weight = weights.read(f"{module}.weight").astype(np.float64)
        weight = weight.T if module in update.transposed else weight
        dense = [_dense(one) for one in (svd, *random_updates(svd))]
        found[run] = {
            OWN: [changed_entries(weight, one) for one in dense],
            EQUAL: [changed_entries(weight, at_equal_norm(weight, one)) for one in dense],
        }
    return found


def _dense(svd: CompactSVD) -> np.ndarray:
    return svd.u * svd.s @ svd.v.T


def _shared(first: np.ndarray, second: np.ndarray) -> tuple[int, int]:
    return int(np.count_nonzero(first & second)), int(np.count_nonzero(first | second))


def _row(a: str, b: str, norm: str, counts: np.ndarray | None) -> Overlap:
    """Return the row of one pair from counts (1 + draws, 2) of shared and of all changed entries."""
    nan = float("nan")
    if counts is None:
        return Overlap(a, b, norm, nan, nan, nan, "they share no module that both change")
    if not counts[:, 1].all():
        return Overlap(a, b, norm, nan, nan, nan, "no entry changes")
    shares: Iterable[float] = counts[:, 0] / counts[:, 1]
    value, *null = map(float, shares)
    return Overlap(a, b, norm, value, float(np.mean(null)), float(np.std(null, ddof=1)), "")
