"""Updates of single modules that are not of low rank: DoRA, and modules that an adapter trained whole.

Both are differences of dense matrices, which takes the base's weights; they are cut at a rank, and what that leaves out is
recorded. DoRA (Liu et al. 2024, doi:10.48550/arXiv.2402.09353) gives every output a length m of its own:
dW = diag(m / norm of the rows of W + s B A) (W + s B A) - W.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from lossgeometry.errors import InputError
from lossgeometry.files.progress import tracked
from lossgeometry.files.safetensors import TensorFile
from lossgeometry.updates.base import BaseWeights
from lossgeometry.updates.factors import Factors, require_finite
from lossgeometry.updates.full import conv1d_modules, truncated_svd
from lossgeometry.updates.names import block_of
from lossgeometry.updates.svd import CompactSVD


class Truncated(NamedTuple):
    """A dense update, cut at a rank."""

    svd: CompactSVD
    left_out: float
    """Share of the squared norm beyond the rank."""


def truncated(dense: np.ndarray, rank: int) -> Truncated:
    """Return the best approximation of a dense update, (m, n) float64, at a rank."""
    svd, total = truncated_svd(dense, rank), float(np.sum(dense**2))
    return Truncated(svd, max(1 - float(svd.s @ svd.s) / total, 0.0) if total else 0.0)


def dora_update(weight: np.ndarray, factors: Factors, magnitude: np.ndarray) -> np.ndarray:
    """Return dW of a DoRA module, (m, n), from W (m, n), its factors and the lengths of its outputs (m,)."""
    moved = weight + factors.scale * (factors.b @ factors.a)
    return moved * (magnitude / np.linalg.norm(moved, axis=1))[:, None] - weight


def dora_updates(
    file: TensorFile,
    base: BaseWeights,
    magnitudes: Mapping[str, str],
    factors: Mapping[str, Factors],
    rank: int,
    turned: bool,
) -> dict[str, Truncated]:
    """Return the updates of the modules with magnitudes.

    Parameters
    ----------
    magnitudes
        {module: tensor of its magnitudes}.
    factors
        Its low-rank part, by module.
    turned
        Whether the base stores the weights as (inputs, outputs).

    Raises
    ------
    InputError
        If the base has no such weight.
    """
    found = {}
    for module in tracked(list(magnitudes), "reading DoRA"):
        b, a, _ = factors[module]
        weight = base.weight(module, (len(b), a.shape[1]), turned)
        if weight is None:
            raise InputError(f"{base.folder} has no weight of {module} in this shape; name the adapter's base model")
        magnitude = file.read(magnitudes[module]).astype(np.float64).reshape(-1)
        require_finite(file.path, module, magnitude)
        found[module] = truncated(dora_update(weight, factors[module], magnitude), rank)
    return found


def whole_updates(file: TensorFile, base: BaseWeights, tensors: Mapping[str, str], rank: int) -> dict[str, Truncated]:
    """Return the updates of modules that were trained whole: those of the numbered blocks that the base has in this shape.

    Parameters
    ----------
    tensors
        {module: tensor of its weight}.
    """
    turned = conv1d_modules(
        {module: file.shapes[name] for module, name in tensors.items() if len(file.shapes[name]) == 2}
    )
    found = {}
    for module in tracked(list(tensors), "reading whole modules"):
        shape = file.shapes[tensors[module]]
        if len(shape) != 2 or not block_of(module):
            continue
        transposed = module in turned
        weight = base.weight(module, shape[::-1] if transposed else shape, transposed)
        if weight is not None:
            stored = file.read(tensors[module]).astype(np.float64)
            require_finite(file.path, module, stored)
            found[module] = truncated((stored.T if transposed else stored) - weight, rank)
    return found
