"""One update by itself: norms, soft ranks and spectrum by projection, modules that did not move, what bfloat16 would lose."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from lossgeometry.base_relations.relations import kept_in_bf16
from lossgeometry.files.progress import tracked
from lossgeometry.geometry.modules import ranks
from lossgeometry.updates.base import BaseWeights
from lossgeometry.updates.names import projection_of
from lossgeometry.updates.update import Update

DEAD = 1e-6
"""Share of the largest norm of a module below which another one counts as not moved."""


class Sizes(NamedTuple):
    """One module's singular values in short."""

    module: str
    shape: tuple[int, int]
    s: np.ndarray
    """Singular values, descending."""

    @property
    def norm(self) -> float:
        return float(np.linalg.norm(self.s))


class Merged(NamedTuple):
    """What is left of an update after W and W + dW are rounded to bfloat16, over all modules that the base has."""

    modules: int
    visible: float
    """Share of the entries that change."""
    lost: float
    """norm(left - dW) / norm(dW)."""
    cosine: float
    """Of dW and what is left; NaN if nothing is."""


def sizes_of(update: Update) -> list[Sizes]:
    """Return the singular values of every module."""
    return [Sizes(module, update.shape(module), update.svd(module).s) for module in tracked(update.modules, "reading")]


def merged_in_bf16(update: Update, base: BaseWeights) -> Merged | None:
    """Return what merging into bfloat16 leaves of an update; None if the base has none of its modules."""
    found, changed, entries, inner, left2, norm2 = 0, 0, 0, 0.0, 0.0, 0.0
    for module in tracked(update.modules, "rounding to bfloat16"):
        weight = base.weight(module, update.shape(module), module in update.transposed)
        if weight is None:
            continue
        b, a, scale = update.factors(module)
        dense = scale * (b @ a)
        kept = kept_in_bf16(weight, dense)
        found, changed, entries = found + 1, changed + int(np.count_nonzero(kept)), entries + kept.size
        inner, left2, norm2 = inner + float(np.vdot(kept, dense)), left2 + _square(kept), norm2 + _square(dense)
    if not found or not norm2:
        return None
    lost = math.sqrt(max(left2 - 2 * inner + norm2, 0.0) / norm2)
    return Merged(found, changed / entries, lost, inner / math.sqrt(left2 * norm2) if left2 else math.nan)


def _square(matrix: np.ndarray) -> float:
    return float(np.vdot(matrix, matrix))


def portrait(update: Update, modules: list[Sizes]) -> Iterator[str]:
    """Yield the lines of text about one update."""
    norms = np.array([one.norm for one in modules])
    declared = sorted({update.adapter_rank(one.module) for one in modules})
    rank = str(declared[0]) if len(declared) == 1 else f"{declared[0]} to {declared[-1]}"
    base = f", base {update.base}" if update.base else ""
    yield f"{update.name}: {len(modules)} modules, rank {rank}, norm {np.linalg.norm(norms):.4g}{base}"
    yield ""
    yield f"{'projection':16} {'modules':>7}  {'outputs x inputs':>16} {'norm':>10} {'effective rank':>15} {'stable rank':>12}"
    for projection in sorted({projection_of(one.module) for one in modules}):
        members = [one for one in modules if projection_of(one.module) == projection]
        shapes = {one.shape for one in members}
        shape = "{} x {}".format(*members[0].shape) if len(shapes) == 1 else f"{len(shapes)} shapes"
        moved = [ranks(one.s) for one in members if one.s.size]
        soft = [float(np.mean([rank[key] for rank in moved])) if moved else math.nan for key in _SOFT]
        norm = np.linalg.norm([one.norm for one in members])
        yield f"{projection:16} {len(members):7}  {shape:>16} {norm:10.4g} {soft[0]:15.2f} {soft[1]:12.2f}"
    yield ""
    total = float(np.sum(norms**2))
    counts = [k for k in (1, 2, 4, 8, 16, 32, 64) if k <= max(len(one.s) for one in modules)]
    if total:
        shares = (f"{k}: {sum(float(one.s[:k] @ one.s[:k]) for one in modules) / total:.1%}" for k in counts)
        yield f"share of the squared norm in the leading directions of each module: {', '.join(shares)}"
    dead = [one.module for one in modules if one.norm <= DEAD * norms.max()]
    yield f"modules that did not move: {_listed(dead)}" if dead else "every module moved"


_SOFT = ("effective_rank", "stable_rank")


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"{len(names)} ({', '.join(names[:5])}{more})"
