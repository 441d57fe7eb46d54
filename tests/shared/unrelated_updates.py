"""Unrelated updates, drawn at random: what chance levels are calibrated on.

Cases of A: `independent`; `shared` (one A for all adapters); `moved` (one A, of which each adapter moved by 30 % in its
own direction); `leaning` (independent, but all adapters and layers lean to the same two input directions, so that the
spectrum of A has spikes). A starts with independent normal entries, as LoRA's does. B has singular values that fall
over `fall` decades and random directions on both sides.
"""

from itertools import combinations
from typing import NamedTuple

import numpy as np

from lossgeometry.geometry.layer_shift import SHIFTED
from lossgeometry.geometry.pairs import compare_pair
from lossgeometry.updates.svd import CompactSVD, compact_svd

CASES = ("independent", "shared", "moved", "leaning")
MOVED = 0.3
PROJECTIONS = "qkvo"


class Size(NamedTuple):
    """Shape of the modules, and how many there are."""

    m: int
    n: int
    r: int
    k: int
    layers: int
    adapters: int


class Held:
    """The updates of an adapter, held in memory with the interface of a delta file."""

    def __init__(self, svds: dict[str, CompactSVD]):
        self.modules, self.svd = list(svds), svds.__getitem__
        self.shape = lambda module: svds[module].shape
        self.rank = self.largest_rank = lambda module: svds[module].rank
        self.base = ""


def draw_adapters(case: str, size: Size, fall: float, seed: int) -> list[Held]:
    """Return adapters whose updates have nothing to do with each other but what the case says of A."""
    rng = np.random.default_rng([seed, CASES.index(case)])
    common = np.linalg.qr(rng.standard_normal((size.n, 2)))[0].T
    found: list[dict[str, CompactSVD]] = [{} for _ in range(size.adapters)]
    for layer in range(size.layers):
        for projection in PROJECTIONS:
            start = _normal(rng, size)
            for svds in found:
                a = {
                    "independent": lambda: _normal(rng, size),
                    "shared": lambda start=start: start,
                    "moved": lambda start=start: start + MOVED * _normal(rng, size),
                    "leaning": lambda: _normal(rng, size) + rng.standard_normal((size.r, 2)) @ common,
                }[case]()
                # Columns of a normal matrix are nearly orthogonal; turning the right side makes B favour no row of A.
                turn = np.linalg.qr(rng.standard_normal((size.r, size.r)))[0]
                b = rng.standard_normal((size.m, size.r)) * np.logspace(0, -fall, size.r) @ turn
                svds[f"layers.{layer}.{projection}_proj"] = compact_svd(b, a)
    return [Held(svds) for svds in found]


def _normal(rng: np.random.Generator, size: Size) -> np.ndarray:
    return rng.standard_normal((size.r, size.n)) / size.n**0.5


Scores = dict[tuple[str, str], list[tuple[float, bool]]]


def score(adapters: list[Held], k: int) -> tuple[Scores, Scores]:
    """Return z of every statistic and side, with whether its level is that of shifted layers: by module, and pooled."""
    scopes: dict[str, Scores] = {"module": {}, "global": {}}
    for a, b in combinations(adapters, 2):
        for row in compare_pair(a, b, ("a", "b"), k).rows:
            if row.scope in scopes and row.null_sd > 0:
                z = (row.value - row.null_mean) / row.null_sd
                scopes[row.scope].setdefault((row.metric, row.side), []).append((z, SHIFTED in row.note))
    return scopes["module"], scopes["global"]
