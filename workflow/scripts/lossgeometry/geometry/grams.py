"""Inner products between all updates of a set of runs at once, from one product of their stacked factors per module."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from lossgeometry.errors import InputError
from lossgeometry.geometry.nulls import mixing
from lossgeometry.updates.svd import CompactSVD
from lossgeometry.updates.update import Update

Pair = tuple[str, str]
Sums = np.ndarray
"""(6, N, M): what `RunGrams` is made of, which adds up over modules."""


class RunGrams(NamedTuple):
    """Inner products of N updates with M, pooled over the modules that all of them have, with their chance levels."""

    weights: np.ndarray
    """<dW_i, dW_j>, (N, M)."""
    weights_sd: np.ndarray
    """Standard deviation of an entry when the two updates are unrelated: outputs or inputs turned, whichever is wider."""
    outputs: np.ndarray
    """<dW_i dW_i', dW_j dW_j'>, (N, M): blind to the input side, and so to the initialisation of A."""
    outputs_mean: np.ndarray
    """Mean of an entry when the output directions are unrelated."""
    outputs_sd: np.ndarray

    @classmethod
    def of(cls, sums: Sums) -> "RunGrams":
        """Return the products that sums over modules make."""
        weights, outputs, outputs_turned, inputs_turned, chance, variance = sums
        return cls(weights, np.sqrt(np.maximum(outputs_turned, inputs_turned)), outputs, chance, np.sqrt(variance))


def run_grams(deltas: Sequence[Update], names: Sequence[str]) -> RunGrams:
    """Return the Gram matrices of a set of runs.

    Raises
    ------
    InputError
        If no module is common to all runs in one shape.
    """
    return RunGrams.of(np.sum(list(run_sums(deltas, names).values()), axis=0))


def run_sums(
    deltas: Sequence[Update], names: Sequence[str], group: Callable[[str], Hashable] = lambda module: ""
) -> dict[Hashable, Sums]:
    """Return the same as sums over the modules of every group; errors alike."""
    parts = gram_sums({"": deltas}, [("", "")], group)["", ""]
    if not parts:
        raise InputError(f"{', '.join(names)} have no module of equal shape in common; leave out the run that differs")
    return parts


def cross_grams(sets: Mapping[str, Sequence[Update]], pairs: Iterable[Pair]) -> dict[Pair, RunGrams]:
    """Return the inner products of every update of one set with every update of another, for pairs of sets.

    Raises
    ------
    InputError
        If two sets have no module in common in one shape.
    """
    wanted = list(pairs)
    found = {
        pair: RunGrams.of(np.sum(list(parts.values()), axis=0))
        for pair, parts in gram_sums(sets, wanted).items()
        if parts
    }
    for a, b in wanted:
        if (a, b) not in found:
            raise InputError(f"{a} and {b} have no module of equal shape in common; leave one of them out")
    return found


def gram_sums(
    sets: Mapping[str, Sequence[Update]], pairs: Iterable[Pair], group: Callable[[str], Hashable] = lambda module: ""
) -> dict[Pair, dict[Hashable, Sums]]:
    """Return the sums over the modules of every group, for pairs of sets.

    Parameters
    ----------
    group
        Of a module's name; by default all modules are one.
    """
    found: dict[Pair, dict[Hashable, Sums]] = {pair: {} for pair in pairs}
    modules = dict.fromkeys(module for updates in sets.values() for module in updates[0].modules)
    for module in modules:
        stacks = {name: _Stack(updates, module) for name, updates in sets.items() if _all_have(updates, module)}
        for (a, b), parts in found.items():
            if a in stacks and b in stacks and stacks[a].shape == stacks[b].shape:
                sums = stacks[a].products(stacks[b])
                parts[group(module)] = parts.get(group(module), 0) + sums
    return found


def _all_have(updates: Sequence[Update], module: str) -> bool:
    shape = updates[0].shape(module) if module in updates[0].modules else None
    return all(module in update.modules and update.shape(module) == shape for update in updates)


class _Stack:
    """One module's directions of several updates, side by side."""

    def __init__(self, updates: Sequence[Update], module: str) -> None:
        self.shape = updates[0].shape(module)
        svds: list[CompactSVD] = [update.svd(module) for update in updates]
        self.written, self.read = np.hstack([svd.u * svd.s for svd in svds]), np.hstack([svd.v for svd in svds])
        self.sizes = np.concatenate([svd.s for svd in svds])
        self.owner = np.repeat(np.eye(len(svds)), [svd.rank for svd in svds], axis=1)
        self.squares = np.array([float(svd.s @ svd.s) for svd in svds])
        self.mixing = np.array([mixing(svd.s**2, self.shape[0]) for svd in svds])

    def products(self, other: "_Stack") -> Sums:
        """Return the sums of one module; <dW_i dW_i', dW_j dW_j'> comes of dW dW' = (U S) (U S)'."""
        m, n = self.shape
        block_u, block_v = self.written.T @ other.written, self.read.T @ other.read
        scaled = self.sizes[:, None] * block_v * other.sizes
        pooled = (self.owner @ block @ other.owner.T for block in (block_u * block_v, block_u**2, scaled**2))
        weights, outputs, inputs = pooled
        chance = np.multiply.outer(self.squares, other.squares) / m
        variance = 2 * np.multiply.outer(self.mixing, other.mixing) * (m - 1) * (m + 2)
        return np.stack([weights, outputs, inputs / m, outputs / n, chance, variance])


def normalised(gram: np.ndarray) -> np.ndarray:
    """Return the cosines of a Gram matrix; NaN for runs whose update is zero."""
    scale = np.sqrt(np.diag(gram))
    with np.errstate(invalid="ignore", divide="ignore"):
        return gram / np.outer(scale, scale)
