"""Inner products between all updates of a set of runs at once, from one product of their stacked factors per module."""

from collections.abc import Sequence
from itertools import combinations_with_replacement
from typing import NamedTuple

import numpy as np

from lossgeometry.errors import InputError
from lossgeometry.updates.factors import inner_product
from lossgeometry.updates.update import Update


class RunGrams(NamedTuple):
    """Gram matrices over N runs, pooled over the modules that all of them have, with their chance levels."""

    weights: np.ndarray
    """<dW_i, dW_j>, (N, N)."""
    weights_sd: np.ndarray
    """Standard deviation of an entry when the two updates are unrelated and share no initialisation."""
    outputs: np.ndarray
    """<dW_i dW_i', dW_j dW_j'>, (N, N): blind to the input side, and so to the initialisation of A."""
    outputs_mean: np.ndarray
    """Mean of an entry when the output directions are unrelated."""


def run_grams(deltas: Sequence[Update], names: Sequence[str]) -> RunGrams:
    """Return the Gram matrices of a set of runs.

    Raises
    ------
    InputError
        If no module is common to all runs in one shape.
    """
    first = deltas[0]
    common = [
        module
        for module in first.modules
        if all(module in delta.modules and delta.shape(module) == first.shape(module) for delta in deltas)
    ]
    if not common:
        raise InputError(f"{', '.join(names)} have no module of equal shape in common; leave out the run that differs")
    size = len(deltas)
    weights, variances, outputs, chance = (np.zeros((size, size)) for _ in range(4))
    for module in common:
        svds = [delta.svd(module) for delta in deltas]
        m, n = first.shape(module)
        stacked_u, stacked_v = np.hstack([svd.u * svd.s for svd in svds]), np.hstack([svd.v for svd in svds])
        overlap_u, overlap_v = stacked_u.T @ stacked_u, stacked_v.T @ stacked_v
        ends = np.cumsum([svd.rank for svd in svds])
        own = [slice(end - svd.rank, end) for svd, end in zip(svds, ends, strict=True)]
        for i, j in combinations_with_replacement(range(size), 2):
            block_u = overlap_u[own[i], own[j]]
            weights[i, j] = weights[j, i] = weights[i, j] + inner_product(block_u, overlap_v[own[i], own[j]])
            # <dW_i dW_i', dW_j dW_j'> with dW dW' = (U S) (U S)'
            outputs[i, j] = outputs[j, i] = outputs[i, j] + inner_product(block_u, block_u)
        square = np.array([svd.s @ svd.s for svd in svds])
        variances += np.outer(square, square) / (m * n)
        chance += np.outer(square, square) / m
    return RunGrams(weights, np.sqrt(variances), outputs, chance)


def normalised(gram: np.ndarray) -> np.ndarray:
    """Return the cosines of a Gram matrix; NaN for runs whose update is zero."""
    scale = np.sqrt(np.diag(gram))
    with np.errstate(invalid="ignore", divide="ignore"):
        return gram / np.outer(scale, scale)
