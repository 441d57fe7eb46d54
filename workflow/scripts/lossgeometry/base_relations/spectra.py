"""Singular value decompositions of the base weights, computed once and kept in a file for all runs.

Per module: `<module>.U` (m, p) and `<module>.V` (n, p) in float32 and `<module>.S` (p) in float64, p = min(m, n).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lossgeometry.errors import InputError
from lossgeometry.files.safetensors import TensorFile, TensorFolder, write_tensors
from lossgeometry.updates.names import natural_order


def decompose_base(folder: Path, targets: Sequence[str], path: Path) -> None:
    """Write the decompositions of a model's weight matrices.

    Parameters
    ----------
    folder
        Model folder with safetensors weights.
    targets
        Last parts of the modules' names, such as q_proj; empty takes every matrix of a numbered layer.
    path
        File to write.

    Raises
    ------
    InputError
        If the model has no such matrix.
    """
    weights = TensorFolder(folder)
    tensors: dict[str, np.ndarray] = {}
    for name in sorted(weights.shapes, key=natural_order):
        module = name.removesuffix(".weight")
        parts = module.split(".")
        wanted = parts[-1] in targets if targets else any(part.isdigit() for part in parts)
        if name == module or len(weights.shapes[name]) != 2 or not wanted:
            continue
        u, s, vt = np.linalg.svd(weights.read(name).astype(np.float64), full_matrices=False)
        tensors |= {f"{module}.U": u.astype(np.float32), f"{module}.S": s, f"{module}.V": vt.T.astype(np.float32)}
        print(f"decomposed {module}")
    if not tensors:
        raise InputError(f"{folder} has no weight matrix named {' or '.join(targets)}; correct lora.target_modules")
    write_tensors(path, tensors, {})


class BaseSpectra:
    """The file that `decompose_base` wrote, read one module at a time."""

    def __init__(self, path: str | Path):
        self._file = TensorFile(path)

    def __contains__(self, module: str) -> bool:
        return f"{module}.S" in self._file.shapes

    def read(self, module: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return U (m, p), S (p,) and V (n, p) of one base weight, float64."""
        u, s, v = (self._file.read(f"{module}.{part}").astype(np.float64) for part in "USV")
        return u, s, v
