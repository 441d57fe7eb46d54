"""Inner products between all updates of a set of runs at once, from one product of their stacked factors per module."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lossgeometry.errors import InputError
from lossgeometry.geometry.nulls import trace_product
from lossgeometry.updates.stored import Delta


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


def run_grams(deltas: Sequence[Delta], names: Sequence[str]) -> RunGrams:
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
    weights, outputs_turned, inputs_turned, outputs, chance, outputs_variance = np.zeros((6, size, size))
    for module in common:
        svds = [delta.read(module) for delta in deltas]
        m, n = first.shape(module)
        owner = np.repeat(np.arange(size), [svd.rank for svd in svds])
        if not owner.size:
            continue
        stacked_u, stacked_v = np.hstack([svd.u * svd.s for svd in svds]), np.hstack([svd.v for svd in svds])
        overlap_u, overlap_v = stacked_u.T @ stacked_u, stacked_v.T @ stacked_v
        belongs = np.equal.outer(np.arange(size), owner).astype(float)
        weights += belongs @ (overlap_u * overlap_v) @ belongs.T
        # norm(S_i U_i' U_j S_j)^2
        output_products = belongs @ overlap_u**2 @ belongs.T
        outputs += output_products
        inputs_turned += output_products / n
        singular = np.concatenate([svd.s for svd in svds])
        outputs_turned += belongs @ (singular[:, None] * overlap_v * singular) ** 2 @ belongs.T / m
        laws = [[trace_product(x.s**2, y.s**2, m) for y in svds] for x in svds]
        chance += [[law.mean for law in row] for row in laws]
        outputs_variance += [[law.sd**2 for law in row] for row in laws]
    weights_sd = np.sqrt(np.maximum(outputs_turned, inputs_turned))
    return RunGrams(weights, weights_sd, outputs, chance, np.sqrt(outputs_variance))


def normalised(gram: np.ndarray) -> np.ndarray:
    """Return the cosines of a Gram matrix; NaN for runs whose update is zero."""
    scale = np.sqrt(np.diag(gram))
    with np.errstate(invalid="ignore", divide="ignore"):
        return gram / np.outer(scale, scale)
