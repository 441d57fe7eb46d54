"""Numbers of every row that take long to compute, kept beside a run's checkpoints for when it continues."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from lossgeometry.files.resuming import CorruptedCheckpoint, verify, write_verifiable

FILE = "columns.safetensors"


@dataclass(frozen=True)
class KeptColumns:
    """Columns of float64 in a folder that is complete or absent, and whose digest is that of the run."""

    folder: Path
    digest: str

    def read(self, names: Sequence[str], rows: int) -> dict[str, list[float]] | None:
        """Return the columns; None where there are none, or they are damaged, which is said."""
        if not self.folder.exists():
            return None
        try:
            verify(self.folder, self.digest)
        except CorruptedCheckpoint as error:
            print(f"Ignored {self.folder}: {error}.", file=sys.stderr, flush=True)
            return None
        columns = load_file(self.folder / FILE)
        if sorted(columns) != sorted(names) or any(len(values) != rows for values in columns.values()):
            raise ValueError(f"{self.folder} holds other columns than {', '.join(names)} of {rows} rows")
        return {name: columns[name].tolist() for name in names}

    def write(self, columns: Mapping[str, Sequence[float]]) -> None:
        """Keep the columns."""
        arrays = {name: np.asarray(values, dtype=np.float64) for name, values in columns.items()}
        write_verifiable(self.folder, self.digest, lambda folder: save_file(arrays, folder / FILE))
