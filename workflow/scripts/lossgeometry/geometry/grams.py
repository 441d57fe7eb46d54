"""Inner products between all updates of a set of runs at once, from one product of their stacked factors per module."""

from collections.abc import Sequence
from itertools import combinations_with_replacement
from typing import NamedTuple

import numpy as np

from lossgeometry.errors import InputError
from lossgeometry.geometry.nulls import trace_product
from lossgeometry.updates.factors import inner_product
from lossgeometry.updates.update import Update


class RunGrams(NamedTuple):
    """Gram matrices over N runs, pooled over the modules that all of them have, with their chance levels."""

    weights: np.ndarray
    """<dW_i, dW_j>, (N, N)."""
    weights_sd: np.ndarray
    """Standard deviation of an entry when the two updates are unrelated: outputs or inputs turned, whichever is wider."""
    outputs: np.ndarray
    """<dW_i dW_i', dW_j dW_j'>, (N, N): blind to the input side, and so to the initialisation of A."""
    outputs_mean: np.ndarray
    """Mean of an entry when the output directions are unrelated."""
    outputs_sd: np.ndarray


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
    sums = np.zeros((6, size, size))
    for module in common:
        svds = [delta.svd(module) for delta in deltas]
        m, n = first.shape(module)
        stacked_u, stacked_v = np.hstack([svd.u * svd.s for svd in svds]), np.hstack([svd.v for svd in svds])
        overlap_u, overlap_v = stacked_u.T @ stacked_u, stacked_v.T @ stacked_v
        ends = np.cumsum([svd.rank for svd in svds])
        own = [slice(end - svd.rank, end) for svd, end in zip(svds, ends, strict=True)]
        for i, j in combinations_with_replacement(range(size), 2):
            block_u, block_v = overlap_u[own[i], own[j]], overlap_v[own[i], own[j]]
            output_product = inner_product(block_u, block_u)
            read = svds[i].s[:, None] * block_v * svds[j].s
            law = trace_product(svds[i].s ** 2, svds[j].s ** 2, m)
            # <dW_i dW_i', dW_j dW_j'> with dW dW' = (U S) (U S)'
            sums[:, i, j] += (
                inner_product(block_u, block_v),
                output_product,
                inner_product(read, read) / m,
                output_product / n,
                law.mean,
                law.sd**2,
            )
    sums = sums + np.triu(sums, 1).transpose(0, 2, 1)
    weights, outputs, outputs_turned, inputs_turned, chance, variance = sums
    return RunGrams(weights, np.sqrt(np.maximum(outputs_turned, inputs_turned)), outputs, chance, np.sqrt(variance))


def normalised(gram: np.ndarray) -> np.ndarray:
    """Return the cosines of a Gram matrix; NaN for runs whose update is zero."""
    scale = np.sqrt(np.diag(gram))
    with np.errstate(invalid="ignore", divide="ignore"):
        return gram / np.outer(scale, scale)
