"""Updates of full fine-tunes: the differences of whole checkpoints, decomposed one tensor at a time.

The base is read once, tensor by tensor, for all checkpoints that were tuned from it; no two tensors of it are in
memory together. A difference has full rank, so its decomposition is cut at a given rank, and the share of the squared
norm that this leaves out is recorded per module.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from lossgeometry.errors import InputError
from lossgeometry.files.progress import tracked
from lossgeometry.files.safetensors import TensorFolder
from lossgeometry.updates.base import BaseWeights
from lossgeometry.updates.factors import require_finite
from lossgeometry.updates.names import block_of, natural_order
from lossgeometry.updates.svd import CompactSVD, compact_svd
from lossgeometry.updates.update import Decomposed

_DENSE_UP_TO = 512
_MOST_ITERATIONS = 4
_CONV1D = ("c_attn", "q_attn", "c_fc", "c_proj")


class FineTune(Decomposed):
    """The update of a full fine-tune, cut at a rank.

    Attributes
    ----------
    source
        sha256 of the differences.
    changed
        Share of the entries that differ from the base at all. Checkpoints stored in 16 bits round small updates away: where
        few entries differ, the difference is what rounding left, and not the update.
    """

    source: str = ""
    changed: float


def read_fine_tunes(base: str | Path, folders: Sequence[str | Path], rank: int) -> list[FineTune]:
    """Return the updates of checkpoints that were tuned from one base.

    Parameters
    ----------
    base, folders
        Model folders with safetensors weights.
    rank
        Largest rank that is kept of every module's difference.

    Raises
    ------
    InputError
        If no weight matrix of a numbered layer has the same shape in all of them, or a weight is not finite.
    """
    if rank < 1:
        raise InputError(f"rank {rank} keeps nothing of a fine-tune; keep 1 or more")
    weights, others = TensorFolder(base), [BaseWeights(folder) for folder in folders]
    names, skipped = _matrices(weights, others)
    transposed = conv1d_modules({name.removesuffix(".weight"): weights.shapes[name] for name in names})
    digests = [hashlib.sha256() for _ in folders]
    svds: list[dict[str, CompactSVD]] = [{} for _ in folders]
    left_out: list[dict[str, float]] = [{} for _ in folders]
    changed = np.zeros((len(folders), 2))
    sizes = [float(np.prod(weights.shapes[name])) * min(weights.shapes[name]) for name in names]
    for name in tracked(names, "decomposing", sizes):
        module = name.removesuffix(".weight")
        start = weights.read(name).astype(np.float64)
        require_finite(base, module, start)
        for index, (folder, other) in enumerate(zip(folders, others, strict=True)):
            difference = other.read(other.place(name)).astype(np.float64) - start
            require_finite(folder, module, difference)
            digests[index].update(difference.tobytes())
            changed[index] += np.count_nonzero(difference), difference.size
            svd = truncated_svd(difference.T if module in transposed else difference, rank)
            total = float(np.sum(difference**2))
            svds[index][module] = svd
            left_out[index][module] = max(1 - float(svd.s @ svd.s) / total, 0.0) if total else 0.0
    updates = []
    for index, folder in enumerate(folders):
        update = FineTune(svds[index], Path(folder).resolve().name, transposed, left_out[index])
        update.source, update.skipped = digests[index].hexdigest(), skipped
        update.changed = changed[index, 0] / changed[index, 1]
        updates.append(update)
    return updates


def conv1d_modules(shapes: Mapping[str, tuple[int, ...]]) -> frozenset[str]:
    """Return the modules whose weights are stored as (inputs, outputs), as GPT-2 and its kin store them.

    Names do not tell, since others took them over for linear layers. But `c_fc` widens the residual stream, so that a stack in
    which it is stored wider than tall is one of `Conv1D`.
    """
    stacks = {_stack(module) for module, (rows, columns) in shapes.items() if _is(module, "c_fc") and columns > rows}
    return frozenset(module for module in shapes if _is(module, *_CONV1D) and _stack(module) in stacks)


def _is(module: str, *last: str) -> bool:
    return module.rpartition(".")[2] in last


def _stack(module: str) -> str:
    return block_of(module).rpartition(".")[0]


def _matrices(weights: TensorFolder, others: Sequence[BaseWeights]) -> tuple[list[str], dict[str, str]]:
    """Return the weight matrices of numbered layers that all have in one shape, and why not for the rest."""
    names, skipped = [], {}
    for name in sorted(weights.shapes, key=natural_order):
        shape = weights.shapes[name]
        if any(other.shapes.get(other.place(name)) != shape for other in others):
            skipped[name] = "missing or of another shape in a fine-tune"
        elif len(shape) != 2 or not name.endswith(".weight"):
            skipped[name] = "no matrix"
        elif not block_of(name):
            skipped[name] = "outside the numbered layers"
        else:
            names.append(name)
    if not names:
        raise InputError("the checkpoints share no weight matrix of a layer; compare fine-tunes of one base model")
    return names, skipped


def truncated_svd(matrix: np.ndarray, rank: int, oversampling: int = 16, tolerance: float = 1e-9) -> CompactSVD:
    """Return the leading singular triplets of a dense (m, n) float64 matrix, at most `rank` of them.

    Block subspace iteration (Halko, Martinsson and Tropp 2011, doi:10.1137/090771806) until the triplets leave residuals below
    `tolerance` times the largest singular value: from a fixed random start, which is enough where few directions lead, and
    from the eigenvectors of the smaller Gram matrix, whose rounding the iteration takes away. What neither brings to
    the tolerance is decomposed in full. `oversampling` further directions are carried along.
    """
    block = rank + oversampling
    if min(matrix.shape) > max(_DENSE_UP_TO, 2 * block):
        for start in (_random_outputs, _gram_outputs):
            svd = _iterated(matrix, start(matrix, block), rank, tolerance)
            if svd is not None:
                return svd
    u, s, vt = np.linalg.svd(matrix, full_matrices=False)
    kept = slice(0, min(rank, int(np.sum(s > max(matrix.shape) * np.finfo(np.float64).eps * s[0]))))
    return compact_svd(u[:, kept] * s[kept], vt[kept])


def _random_outputs(matrix: np.ndarray, count: int) -> np.ndarray:
    return matrix @ np.random.default_rng(0).standard_normal((matrix.shape[1], count))


def _gram_outputs(matrix: np.ndarray, count: int) -> np.ndarray:
    if matrix.shape[0] < matrix.shape[1]:
        return np.linalg.eigh(matrix @ matrix.T)[1][:, -count:]
    return matrix @ np.linalg.eigh(matrix.T @ matrix)[1][:, -count:]


def _iterated(matrix: np.ndarray, outputs: np.ndarray, rank: int, tolerance: float) -> CompactSVD | None:
    """Return the leading triplets by subspace iteration from output directions, (m, p); None if they do not converge soon."""
    basis = np.linalg.qr(outputs)[0]
    for _ in range(_MOST_ITERATIONS):
        inputs = np.linalg.qr(matrix.T @ basis)[0]
        svd = compact_svd(matrix @ inputs, inputs.T)
        residual = matrix.T @ svd.u[:, :rank] - svd.v[:, :rank] * svd.s[:rank]
        if not svd.rank or np.abs(residual).max() < tolerance * svd.s[0]:
            return CompactSVD(svd.u[:, :rank], svd.s[:rank], svd.v[:, :rank])
        basis = svd.u
    return None
