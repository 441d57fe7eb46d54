"""Delta files are written here; `stored` says what is in them, and reads them."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from lossgeometry.files.safetensors import stream_tensors, write_tensors
from lossgeometry.updates.full import FineTune
from lossgeometry.updates.svd import CompactSVD
from lossgeometry.updates.update import Update


def write_delta(update: Update, path: str | Path) -> None:
    """Write the delta file of an update."""
    tensors = (tensor for name in update.modules for tensor in split_precision(name, update.svd(name)).items())
    metadata = {"source": update.source}
    if isinstance(update, FineTune):
        held = dict(tensors)  # what a truncation left out is known afterwards
        metadata |= {"kind": "checkpoint", "scale": "1", "left_out": json.dumps(update.left_out)}
        metadata["changed"] = json.dumps(update.changed)
    else:
        metadata |= {"kind": "adapter", "scale": _one_or_each({name: update.scale(name) for name in update.modules})}
        if update.left_out:
            metadata["left_out"] = json.dumps(update.left_out)
        metadata["rank"] = _one_or_each({module: update.adapter_rank(module) for module in update.modules})
    metadata["transposed"] = _one_or_each({module: module in update.transposed for module in update.modules})
    if update.base:
        metadata["base"] = update.base
    if update.skipped:
        metadata["skipped"] = json.dumps(update.skipped)
    if isinstance(update, FineTune):
        write_tensors(path, held, metadata)
    else:
        stream_tensors(path, _largest(update), tensors, metadata)


def _largest(update: Update) -> dict[str, tuple[np.dtype, tuple[int, ...]]]:
    """Return type and shape of what `split_precision` makes of every module, were its factors of full rank."""
    found: dict[str, tuple[np.dtype, tuple[int, ...]]] = {}
    for module in update.modules:
        m, n = update.shape(module)
        rank = min(update.adapter_rank(module), m, n)
        for part, shape in zip("USV", ((m, rank), (rank,), (n, rank)), strict=True):
            found |= dict.fromkeys((f"{module}.{part}", f"{module}.{part}_low"), (np.dtype(np.float32), shape))
        found[f"{module}.gain"] = np.dtype(np.float16), (rank, rank)
    return found


def split_precision(module: str, svd: CompactSVD) -> dict[str, np.ndarray]:
    """Return the tensors of one module: each factor in float32, and in float32 what that left over."""
    tensors = {}
    for part, value in zip("USV", svd[:3], strict=True):
        high = value.astype(np.float32)
        tensors[f"{module}.{part}"] = high
        # Subtracted in float64, rounded once on the way out.
        tensors[f"{module}.{part}_low"] = np.subtract(value, high, out=np.empty_like(high), casting="same_kind")
    if svd.gain is not None:
        tensors[f"{module}.gain"] = svd.gain.astype(np.float16)
    return tensors


def _one_or_each(values: Mapping[str, float]) -> str:
    distinct = set(values.values())
    return json.dumps(distinct.pop() if len(distinct) == 1 else dict(values))
