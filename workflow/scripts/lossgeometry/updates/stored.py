"""Delta files: the compact singular value decomposition of a run's update, per module.

Tensors `<module>.U` (m, k), `<module>.S` (k) and `<module>.V` (n, k) in float32, and beside each one `<tensor>_low`:
what float32 left over of the float64 value, again in float32. A reader who needs single precision takes the first
three; their sums with the rest are the float64 factors to 48 bits, so that what is measured on a pair is exact for
the adapters themselves, not for a rounded copy (float32 alone moves a cosine by 1e-8 and hides angles below 1e-5
degrees). A file without the rest is accepted too: its float32 factors are then taken as they stand and made
orthonormal again. `<module>.gain` (k, k), float16, is V'A'A V over its mean diagonal: how strongly the A that was trained
passes on each input direction, for chance levels alone; without it A is taken to pass on all alike. U always holds outputs
and V inputs, whichever way round the base stores the weight.

Metadata: `scale` and `rank` (one number, or JSON {module: number} where they differ), `source` (sha256 of what the
file was made from), `kind` (`adapter` or `checkpoint`), `transposed` (whether the base stores the weight as (inputs, outputs), as
GPT-2 does; one truth value or one per module), `base` (what the base model is called), `skipped` (JSON {tensor: reason} of
what is no part of the update), and for truncated decompositions `left_out` (JSON {module: share of the squared norm}).
"""

import json
from pathlib import Path

import numpy as np

from lossgeometry.errors import InputError
from lossgeometry.files.safetensors import TensorFile
from lossgeometry.updates.factors import Factors
from lossgeometry.updates.svd import CompactSVD, compact_svd
from lossgeometry.updates.update import Update


class Delta(Update):
    """A delta file, read one module at a time.

    Raises
    ------
    InputError
        If the file is damaged or no delta file.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self._file = TensorFile(path)
        self.metadata = self._file.metadata
        stored = self._file.shapes
        modules = [name[:-2] for name in stored if name.endswith(".U")]
        if not modules or any(f"{module}.{part}" not in stored for module in modules for part in "SV"):
            raise InputError(f"{path} is no delta file; make it again with the rule reduce_adapter")
        shapes = {module: (stored[f"{module}.U"][0], stored[f"{module}.V"][0]) for module in modules}
        self._ranks, turned, left_out, skipped = (
            json.loads(self.metadata.get(key, default))
            for key, default in (("rank", "null"), ("transposed", "false"), ("left_out", "{}"), ("skipped", "{}"))
        )
        transposed = [module for module in modules if (turned[module] if isinstance(turned, dict) else turned)]
        super().__init__(shapes, self._read_factors, self.path.stem, transposed, left_out)
        self.base, self.skipped = self.metadata.get("base", ""), skipped

    def rank(self, module: str) -> int:
        return self._file.shapes[f"{module}.S"][0]

    def adapter_rank(self, module: str) -> int:
        """Return the number of rows of A: the dimension that a shared initialisation confines the inputs to."""
        if isinstance(self._ranks, dict):
            return self._ranks[module]
        return self._ranks if self._ranks is not None else self.rank(module)

    def svd(self, module: str) -> CompactSVD:
        names = [f"{module}.{part}" for part in "USV"]
        u, s, v = (self._file.read(name).astype(np.float64) for name in names)
        if all(f"{name}_low" in self._file.shapes for name in names):
            for name, value in zip(names, (u, s, v), strict=True):
                value += self._file.read(f"{name}_low")
            gain = f"{module}.gain"
            held = self._file.read(gain).astype(np.float64) if gain in self._file.shapes else None
            return CompactSVD(u, s, v, held)
        return compact_svd(u * s, v.T)

    def _read_factors(self, module: str) -> Factors:
        u, s, v = self.svd(module)[:3]
        return Factors(u * s, v.T, 1.0)
