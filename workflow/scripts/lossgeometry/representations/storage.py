"""Hidden states on disk: one safetensors file per model, written row by row and read layer by layer.

The file's size is known before the first forward pass, so its header is written first and every row goes straight to
its place. Neither writing nor reading ever holds more than the rows at hand.
"""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from lossgeometry.files.safetensors import DTYPES
from lossgeometry.files.tensor_header import header_of, read_header

ALIGNMENT = 64


class RowWriter:
    """Writes tensors of known shapes into a safetensors file, any rows at any time.

    Parameters
    ----------
    path
        The file, which is created.
    shapes
        Name to (safetensors type, shape).
    metadata
        Strings kept in the header.
    """

    def __init__(
        self, path: Path, shapes: Mapping[str, tuple[str, tuple[int, ...]]], metadata: Mapping[str, str]
    ) -> None:
        head, self._places = header_of(shapes, metadata, ALIGNMENT)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.pwrite(self._file, head, 0)
        os.ftruncate(self._file, max((place.end for place in self._places.values()), default=len(head)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)

    def write(self, name: str, row: int, rows: np.ndarray) -> None:
        """Write rows of a tensor from ``row`` on; the values are rounded to the tensor's type."""
        kind, shape, begin, _ = self._places[name]
        dtype = DTYPES[kind]
        data = np.ascontiguousarray(rows, dtype=dtype).view(np.uint8).reshape(-1).data
        place = begin + row * math.prod(shape[1:]) * dtype.itemsize
        while data:
            written = os.pwrite(self._file, data, place)
            data, place = data[written:], place + written


@dataclass(frozen=True)
class StoredRows:
    """A tensor on disk, of which slices of rows are read when they are asked for.

    A memory map would do the same, but its pages count as memory of the job once they are touched.
    """

    path: Path
    offset: int
    """Bytes from the start of the file."""
    dtype: np.dtype
    shape: tuple[int, ...]

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> np.ndarray:
        start, stop, _ = rows.indices(len(self))
        width = math.prod(self.shape[1:])
        values = np.fromfile(
            self.path,
            self.dtype,
            (stop - start) * width,
            offset=self.offset + start * width * self.dtype.itemsize,
        )
        return values.reshape(stop - start, *self.shape[1:])


def open_rows(path: str | Path) -> tuple[dict[str, StoredRows], dict[str, str]]:
    """Return the tensors of a safetensors file, unread, and its metadata."""
    entries, metadata = read_header(path)
    rows = {
        name: StoredRows(Path(path), entry.begin, DTYPES[entry.dtype], entry.shape) for name, entry in entries.items()
    }
    return rows, metadata
