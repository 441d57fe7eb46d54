"""Merges that look at single entries of dW. They form each module whole, and a truncation makes an adapter of the result."""

import hashlib
from collections.abc import Callable, Sequence

import numpy as np

from lossgeometry.errors import InputError
from lossgeometry.updates.svd import CompactSVD
from lossgeometry.updates.update import Decomposed, Update

Merge = Callable[[str, list[np.ndarray]], np.ndarray]


def ties(updates: Sequence[Update], density: float, factor: float, rank: int) -> Update:
    """Return the TIES merge, per module. Yadav et al. 2023, arXiv:2306.01708, section 4.

    Of each update the entries below the largest `density` are set to zero; the sign of every entry is that of the sum;
    entries of the other sign are left out of the mean over those that are not zero.

    Parameters
    ----------
    updates
        Of one base model.
    density
        Share of entries kept, in (0, 1].
    factor
        Times which the merged update is taken.
    rank
        Directions kept of each module; `left_out` of the result says what that costs.
    """

    def merged(module: str, dense: list[np.ndarray]) -> np.ndarray:
        trimmed = np.stack([_largest(matrix, density) for matrix in dense])
        sign = np.sign(trimmed.sum(axis=0))
        agree = np.where(np.sign(trimmed) == sign, trimmed, 0.0)
        voters = np.count_nonzero(agree, axis=0)
        return factor * agree.sum(axis=0) / np.maximum(voters, 1)

    return _merge(updates, merged, rank)


def dare(updates: Sequence[Update], drop: float, factor: float, rank: int, seed: int) -> Update:
    """Return the sum of updates whose entries are dropped at random and else divided by 1 - `drop`, per module.

    Yu et al. 2024, arXiv:2311.03099, section 3. A module's draw depends on the seed, its name and the update's place.
    Parameters as for `ties`.
    """

    def merged(module: str, dense: list[np.ndarray]) -> np.ndarray:
        digest = int.from_bytes(hashlib.sha256(module.encode()).digest()[:8], "little")
        total = np.zeros_like(dense[0])
        for place, matrix in enumerate(dense):
            keep = np.random.default_rng([seed, place, digest]).random(matrix.shape) >= drop
            total += factor * np.where(keep, matrix, 0.0) / (1.0 - drop)
        return total

    return _merge(updates, merged, rank)


def _dense(update: Update, module: str) -> np.ndarray:
    b, a, scale = update.factors(module)
    return scale * b @ a


def _largest(matrix: np.ndarray, density: float) -> np.ndarray:
    count = max(1, round(density * matrix.size))
    smallest = np.partition(np.abs(matrix), matrix.size - count, axis=None)[matrix.size - count]
    return np.where(np.abs(matrix) >= smallest, matrix, 0.0)


def _merge(updates: Sequence[Update], merged: Merge, rank: int) -> Update:
    shapes: dict[str, tuple[int, int]] = {}
    for update in updates:
        for module in update.modules:
            if shapes.setdefault(module, update.shape(module)) != update.shape(module):
                raise InputError(
                    f"{module} has shape {shapes[module]} and {update.shape(module)} in two updates; merge updates of one base"
                )
    svds, left_out = {}, {}
    for module in shapes:
        dense = [_dense(update, module) for update in updates if module in update.modules]
        u, s, vt = np.linalg.svd(merged(module, dense), full_matrices=False)
        svds[module] = CompactSVD(u[:, :rank], s[:rank], vt[:rank].T)
        left_out[module] = float(s[rank:] @ s[rank:]) / float(s @ s) if s.any() else 0.0
    return Decomposed(svds, transposed=frozenset().union(*(update.transposed for update in updates)), left_out=left_out)
