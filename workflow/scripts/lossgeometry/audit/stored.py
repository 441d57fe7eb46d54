"""The inner products that an audit wrote, read back. Light."""

import json
from functools import cached_property
from itertools import combinations
from pathlib import Path

import numpy as np

from lossgeometry.files.safetensors import TensorFile


class Products:
    """The inner products of the losses' gradients at one point; see `measurement.audit`.

    Attributes
    ----------
    labels
        The losses.
    paired
        Those that are sums over pairs.
    composed
        What each loss takes of the rollouts; None for all.
    sizes
        Prompts by fold, (folds,).
    rows
        Wrong and right rollouts that a loss takes, (losses, 2).
    units
        Rows or pairs that it is a sum over, (losses,).
    """

    def __init__(self, path: str | Path) -> None:
        self._file = TensorFile(path)
        self.labels: list[str] = json.loads(self._file.metadata["labels"])
        self.paired: list[str] = json.loads(self._file.metadata["paired"])
        self.composed: list[dict | None] = json.loads(self._file.metadata["composed"])
        self.sizes, self.rows, self.units = (self._file.read(name) for name in ("sizes", "rows", "units"))

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """The pairs of losses on the same rollouts, by place."""
        return [(a, b) for a, b in combinations(range(len(self.labels)), 2) if self.composed[a] == self.composed[b]]

    @cached_property
    def modules(self) -> list[str]:
        """The modules that carry an adapter."""
        return [name.removesuffix(".chance") for name in self._file.shapes if name.endswith(".chance")]

    @cached_property
    def classes(self) -> np.ndarray:
        """Products over all modules, (losses, folds, 2, losses, folds, 2); wrong rollouts first."""
        shape = (len(self.labels), len(self.sizes), 2)
        return self._file.read("gram").reshape(*shape, *shape)

    @cached_property
    def placebo(self) -> np.ndarray:
        """Products of the losses under shuffled verdicts, (losses, losses)."""
        return self._file.read("placebo")

    def folds(self, modules: list[str]) -> np.ndarray:
        """Return products over some modules, (losses, folds, losses, folds)."""
        shape = (len(self.labels), len(self.sizes))
        return self._sum("gram", modules).reshape(*shape, *shape)

    def adam(self, modules: list[str]) -> np.ndarray:
        """Return products of the preconditioned gradients over some modules, (losses, losses)."""
        return self._sum("adam", modules)

    def variance(self, modules: list[str]) -> np.ndarray:
        """Return the variance of the products over some modules when outputs are turned at random, (losses, losses)."""
        return self._sum("chance", modules)

    def _sum(self, name: str, modules: list[str]) -> np.ndarray:
        return np.sum([self._file.read(f"{module}.{name}") for module in modules], axis=0)
