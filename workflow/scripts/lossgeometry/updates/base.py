"""The weights of a base model beside an update: found where names differ in wrappers alone, and turned as the update is."""

from pathlib import Path

import numpy as np

from lossgeometry.files.safetensors import TensorFolder
from lossgeometry.updates.names import bare


class BaseWeights(TensorFolder):
    """A model folder; raises InputError as `TensorFolder` does."""

    def __init__(self, folder: str | Path):
        super().__init__(folder)
        self.folder = Path(folder)
        self._bare = {bare(name): name for name in self.shapes}

    def place(self, name: str) -> str:
        """Return the name that a tensor has here; the name itself where there is none like it."""
        return name if name in self.shapes else self._bare.get(bare(name), name)

    def weight(self, module: str, shape: tuple[int, int], transposed: bool) -> np.ndarray | None:
        """Return the weight of a module as (outputs, inputs), float64; None if there is none of this shape.

        Parameters
        ----------
        shape
            (m, n), outputs and inputs.
        transposed
            Whether the base stores it as (inputs, outputs).
        """
        name = self.place(f"{module}.weight")
        if self.shapes.get(name) != (shape[::-1] if transposed else shape):
            return None
        stored = self.read(name).astype(np.float64)
        return stored.T if transposed else stored
