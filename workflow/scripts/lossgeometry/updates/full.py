"""Updates of full fine-tunes: the differences of whole checkpoints, decomposed one tensor at a time.

The base is read once, tensor by tensor, for all checkpoints that were tuned from it; no two tensors of it are in
memory together. A difference has full rank, so its decomposition is cut at a given rank, and the share of the squared
norm that this leaves out is recorded per module.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lossgeometry.errors import InputError
from lossgeometry.files.safetensors import TensorFolder
from lossgeometry.updates.names import natural_order
from lossgeometry.updates.stored import split_precision, write_delta
from lossgeometry.updates.svd import CompactSVD, compact_svd

_DENSE_UP_TO = 512
_MOST_ITERATIONS = 40


def reduce_checkpoints(base: Path, tuned: Sequence[tuple[Path, Path]], rank: int) -> dict[str, str]:
    """Write the delta files of checkpoints tuned from one base.

    Parameters
    ----------
    base
        Model folder with safetensors weights.
    tuned
        (model folder, delta file to write) of every fine-tune.
    rank
        Largest rank that is kept of every module's difference.

    Returns
    -------
    {tensor: reason} of the tensors that are no part of the deltas.

    Notes
    -----
    The metadata `changed` is the share of the entries that differ at all. Checkpoints stored in 16 bits round small
    updates away: where few entries differ, the difference is what rounding left, and not the update.

    Raises
    ------
    InputError
        If no weight matrix of a numbered layer has the same shape in all of them.
    """
    weights, others = TensorFolder(base), [TensorFolder(folder) for folder, _ in tuned]
    names, skipped = _matrices(weights, others)
    digests = [hashlib.sha256() for _ in tuned]
    parts: list[dict[str, dict[str, np.ndarray]]] = [{} for _ in tuned]
    left_out: list[dict[str, float]] = [{} for _ in tuned]
    changed = np.zeros((len(tuned), 2))
    for name in names:
        module = name.removesuffix(".weight")
        start = weights.read(name).astype(np.float64)
        for other, digest, tensors, shares, counts in zip(others, digests, parts, left_out, changed, strict=True):
            difference = other.read(name).astype(np.float64) - start
            digest.update(difference.tobytes())
            counts += np.count_nonzero(difference), difference.size
            svd = truncated_svd(difference, rank)
            tensors[module] = split_precision(module, svd)
            total = float(np.sum(difference**2))
            shares[module] = max(1 - float(svd.s @ svd.s) / total, 0.0) if total else 0.0
    for (_, path), digest, tensors, shares, (differ, size) in zip(
        tuned, digests, parts, left_out, changed, strict=True
    ):
        metadata = {"kind": "checkpoint", "source": digest.hexdigest(), "scale": "1"}
        write_delta(path, tensors, {**metadata, "left_out": json.dumps(shares), "changed": json.dumps(differ / size)})
    return skipped


def _matrices(weights: TensorFolder, others: Sequence[TensorFolder]) -> tuple[list[str], dict[str, str]]:
    """Return the weight matrices of numbered layers that all have in one shape, and why not for the rest."""
    names, skipped = [], {}
    for name in sorted(weights.shapes, key=natural_order):
        shape = weights.shapes[name]
        if any(other.shapes.get(name) != shape for other in others):
            skipped[name] = "missing or of another shape in a fine-tune"
        elif len(shape) != 2 or not name.endswith(".weight"):
            skipped[name] = "no matrix"
        elif not any(part.isdigit() for part in name.split(".")):
            skipped[name] = "outside the numbered layers"
        else:
            names.append(name)
    if not names:
        raise InputError("the checkpoints share no weight matrix of a layer; compare fine-tunes of one base model")
    return names, skipped


def truncated_svd(matrix: np.ndarray, rank: int, oversampling: int = 16, tolerance: float = 1e-9) -> CompactSVD:
    """Return the leading singular triplets of a dense (m, n) float64 matrix, at most `rank` of them.

    Block subspace iteration (Halko, Martinsson and Tropp 2011, doi:10.1137/090771806) from a fixed start, until the
    triplets leave residuals below `tolerance` times the largest singular value; a spectrum too flat for that is
    decomposed in full. `oversampling` further directions are carried along: with more, fewer iterations are needed.
    """
    block = rank + oversampling
    if min(matrix.shape) > max(_DENSE_UP_TO, 2 * block):
        basis = np.linalg.qr(matrix @ np.random.default_rng(0).standard_normal((matrix.shape[1], block)))[0]
        for _ in range(_MOST_ITERATIONS):
            inputs = np.linalg.qr(matrix.T @ basis)[0]
            svd = compact_svd(matrix @ inputs, inputs.T)
            residual = matrix.T @ svd.u[:, :rank] - svd.v[:, :rank] * svd.s[:rank]
            if not svd.rank or np.abs(residual).max() < tolerance * svd.s[0]:
                return CompactSVD(svd.u[:, :rank], svd.s[:rank], svd.v[:, :rank])
            basis = svd.u
    u, s, vt = np.linalg.svd(matrix, full_matrices=False)
    kept = slice(0, min(rank, int(np.sum(s > max(matrix.shape) * np.finfo(np.float64).eps * s[0]))))
    return compact_svd(u[:, kept] * s[kept], vt[kept])
