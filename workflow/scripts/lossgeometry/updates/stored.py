"""Delta files: the compact singular value decomposition of a run's update, per module.

Tensors `<module>.U` (m, k), `<module>.S` (k) and `<module>.V` (n, k) in float32, and beside each one `<tensor>_low`:
what float32 left over of the float64 value, again in float32. A reader who needs single precision takes the first
three; their sums with the rest are the float64 factors to 48 bits, so that what is measured on a pair is exact for
the adapters themselves, not for a rounded copy (float32 alone moves a cosine by 1e-8 and hides angles below 1e-5
degrees). A file without the rest is accepted too: its float32 factors are then taken as they stand and made
orthonormal again.

Metadata: `scale` and `rank` (one number, or JSON {module: number} where they differ), `source` (sha256 of what the
file was made from), `kind` (`adapter` or `checkpoint`), `transposed`, and for truncated decompositions `left_out`
(JSON {module: share of the squared norm}).
"""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from lossgeometry.errors import InputError
from lossgeometry.files.safetensors import TensorFile, write_tensors
from lossgeometry.updates.peft import Adapter, natural_order
from lossgeometry.updates.svd import CompactSVD, compact_svd


class Delta:
    """A delta file, read one module at a time.

    Raises
    ------
    InputError
        If the file is damaged or no delta file.
    """

    def __init__(self, path: str | Path):
        self._file = TensorFile(path)
        self.path = Path(path)
        self.metadata = self._file.metadata
        self.modules = sorted((name[:-2] for name in self._file.shapes if name.endswith(".U")), key=natural_order)
        if not self.modules or any(
            f"{module}.{part}" not in self._file.shapes for module in self.modules for part in "SV"
        ):
            raise InputError(f"{path} is no delta file; make it again with the rule reduce_adapter")
        self._ranks = json.loads(self.metadata.get("rank", "null"))
        self.left_out: dict[str, float] = json.loads(self.metadata.get("left_out", "{}"))

    def shape(self, module: str) -> tuple[int, int]:
        """Return (m, n), outputs and inputs of a module."""
        return self._file.shapes[f"{module}.U"][0], self._file.shapes[f"{module}.V"][0]

    def rank(self, module: str) -> int:
        """Return the numerical rank of a module's update."""
        return self._file.shapes[f"{module}.S"][0]

    def adapter_rank(self, module: str) -> int:
        """Return the number of rows of A: the dimension that a shared initialisation confines the inputs to."""
        if isinstance(self._ranks, dict):
            return self._ranks[module]
        return self._ranks if self._ranks is not None else self.rank(module)

    def read(self, module: str) -> CompactSVD:
        """Return the decomposition of one module's update, float64."""
        names = [f"{module}.{part}" for part in "USV"]
        u, s, v = (self._file.read(name).astype(np.float64) for name in names)
        if all(f"{name}_low" in self._file.shapes for name in names):
            return CompactSVD(
                *(high + self._file.read(f"{name}_low") for name, high in zip(names, (u, s, v), strict=True))
            )
        return compact_svd(u * s, v.T)


def reduce_adapter(adapter: Adapter, path: str | Path) -> None:
    """Write the delta file of a LoRA adapter."""
    svds, scales, ranks = {}, {}, {}
    for module in adapter.modules:
        b, a, scale = adapter.factors(module)
        svds[module] = split_precision(module, compact_svd(b, a, scale))
        scales[module], ranks[module] = scale, len(a)
    metadata = {
        "kind": "adapter",
        "source": adapter.source,
        "scale": _one_or_each(scales),
        "rank": _one_or_each(ranks),
        "transposed": json.dumps(adapter.transposed),
    }
    write_delta(path, svds, metadata)


def write_delta(path: str | Path, parts: Mapping[str, Mapping[str, np.ndarray]], metadata: Mapping[str, str]) -> None:
    """Write a delta file from {module: tensors of `split_precision`}."""
    write_tensors(path, {name: array for tensors in parts.values() for name, array in tensors.items()}, metadata)


def split_precision(module: str, svd: CompactSVD) -> dict[str, np.ndarray]:
    """Return the tensors of one module: each factor in float32, and in float32 what that left over."""
    tensors = {}
    for part, value in zip("USV", svd, strict=True):
        high = value.astype(np.float32)
        tensors[f"{module}.{part}"] = high
        # Subtracted in float64, rounded once on the way out.
        tensors[f"{module}.{part}_low"] = np.subtract(value, high, out=np.empty_like(high), casting="same_kind")
    return tensors


def _one_or_each(values: Mapping[str, float]) -> str:
    distinct = set(values.values())
    return json.dumps(distinct.pop() if len(distinct) == 1 else dict(values))
