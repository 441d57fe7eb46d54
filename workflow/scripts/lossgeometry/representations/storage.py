"""Hidden states on disk: one safetensors file per model, written row by row and read layer by layer.

The file's size is known before the first forward pass, so its header is written first and every row goes straight to
its place. Neither writing nor reading ever holds more than the rows at hand.
"""

import json
import math
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import ml_dtypes
import numpy as np

from lossgeometry.files.tensor_header import read_header

DTYPES = {"F32": np.dtype(np.float32), "BF16": np.dtype(ml_dtypes.bfloat16)}
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
        header: dict[str, object] = {"__metadata__": dict(metadata)}
        self._places: dict[str, tuple[int, np.dtype, int]] = {}
        offset = 0
        for name, (kind, shape) in shapes.items():
            size = math.prod(shape) * DTYPES[kind].itemsize
            header[name] = {"dtype": kind, "shape": list(shape), "data_offsets": [offset, offset + size]}
            self._places[name] = (offset, DTYPES[kind], math.prod(shape[1:]))
            offset += size
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-(len(text) + 8) % ALIGNMENT)
        self._start = 8 + len(text)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.pwrite(self._file, struct.pack("<Q", len(text)) + text, 0)
        os.ftruncate(self._file, self._start + offset)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)

    def write(self, name: str, row: int, rows: np.ndarray) -> None:
        """Write rows of a tensor from ``row`` on; the values are rounded to the tensor's type."""
        offset, dtype, width = self._places[name]
        data = np.ascontiguousarray(rows, dtype=dtype).view(np.uint8).reshape(-1).data
        place = self._start + offset + row * width * dtype.itemsize
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
