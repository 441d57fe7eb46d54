"""Safetensors files, read tensor by tensor into numpy and written reproducibly.

The `safetensors` package maps whole files, so that a pass over a large checkpoint counts as resident memory, and
writes its metadata in an order that changes from process to process. Both matter here: jobs state their peak memory,
and equal results have equal bytes. Format: an 8-byte little-endian header length, a JSON header {name: {dtype, shape,
data_offsets}}, the data.
"""

import json
import math
import struct
from collections.abc import Mapping
from pathlib import Path

import ml_dtypes
import numpy as np

from lossgeometry.errors import InputError
from lossgeometry.files.atomic import atomic_file

DTYPES = {
    "F64": np.dtype(np.float64),
    "F32": np.dtype(np.float32),
    "F16": np.dtype(np.float16),
    "BF16": np.dtype(ml_dtypes.bfloat16),
}
_LONGEST_HEADER = 100_000_000


class TensorFile:
    """One safetensors file; only the header is read until a tensor is asked for.

    Attributes
    ----------
    shapes
        Shape of every tensor, by name.
    metadata
        The file's own strings.

    Raises
    ------
    InputError
        If the file is missing, cut short or not in the format.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        try:
            size = self.path.stat().st_size
            with open(self.path, "rb") as file:
                start = file.read(8)
                length = struct.unpack("<Q", start)[0] if len(start) == 8 else size
                if length > min(size - 8, _LONGEST_HEADER):
                    raise InputError(
                        f"{path} is not a complete safetensors file (it ends within its header); fetch or save it again"
                    )
                header = json.loads(file.read(length))
        except FileNotFoundError:
            raise InputError(
                f"{path} does not exist; check the path, and that weights are saved as safetensors"
            ) from None
        except (UnicodeDecodeError, json.JSONDecodeError):
            raise InputError(
                f"{path} is not a safetensors file (its header is not JSON); save it as safetensors"
            ) from None
        try:
            self.metadata: dict[str, str] = header.pop("__metadata__", {})
            self._entries = {
                name: (entry["dtype"], tuple(entry["shape"]), *entry["data_offsets"]) for name, entry in header.items()
            }
            needed = max((end for *_, end in self._entries.values()), default=0)
        except (AttributeError, KeyError, TypeError, ValueError):
            raise InputError(
                f"{path} is not a safetensors file (its header lacks shapes or offsets); save it again"
            ) from None
        if size - 8 - length != needed:
            raise InputError(
                f"{path} is cut short or damaged: its header announces {needed} bytes of data and "
                f"it holds {size - 8 - length}; fetch or save it again"
            )
        self._data_start = 8 + length
        self.shapes = {name: entry[1] for name, entry in self._entries.items()}

    def dtype(self, name: str) -> np.dtype:
        """Return the type a tensor is stored in.

        Raises
        ------
        InputError
            If it is not a floating-point type that numpy can hold.
        """
        stored = self._entries[name][0]
        if stored not in DTYPES:
            raise InputError(f"{self.path}: {name} is stored as {stored}; save it as one of {', '.join(DTYPES)}")
        return DTYPES[stored]

    def read(self, name: str) -> np.ndarray:
        """Return one tensor in the type that it is stored in.

        Raises
        ------
        InputError
            If its type is not a float, or its size does not agree with its shape.
        """
        dtype = self.dtype(name)
        _, shape, begin, end = self._entries[name]
        count = math.prod(shape)
        if count * dtype.itemsize != end - begin or begin < 0:
            raise InputError(
                f"{self.path} is damaged: the size of {name} does not agree with its shape {shape}; save it again"
            )
        return np.fromfile(self.path, dtype, count, offset=self._data_start + begin).reshape(shape)


class TensorFolder:
    """The tensors of a model folder: one file, or the shards that an index names.

    Raises
    ------
    InputError
        If the folder holds neither `model.safetensors` nor `model.safetensors.index.json`.
    """

    def __init__(self, folder: str | Path):
        folder = Path(folder)
        index = folder / "model.safetensors.index.json"
        if index.is_file():
            shards = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        elif (folder / "model.safetensors").is_file():
            shards = ["model.safetensors"]
        else:
            raise InputError(
                f"{folder} holds no model.safetensors and no index of shards; save the model as safetensors"
            )
        self._file_of = {
            name: file for file in map(TensorFile, (folder / shard for shard in shards)) for name in file.shapes
        }
        self.shapes = {name: file.shapes[name] for name, file in self._file_of.items()}

    def read(self, name: str) -> np.ndarray:
        """Return one tensor in the type that it is stored in."""
        return self._file_of[name].read(name)


def write_tensors(path: str | Path, tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> None:
    """Write a safetensors file whose bytes depend on its content alone; it appears complete or not at all.

    Parameters
    ----------
    tensors
        Arrays of a type in `DTYPES`; written in the mapping's order.
    """
    names = {dtype: name for name, dtype in DTYPES.items()}
    header: dict[str, object] = {"__metadata__": dict(sorted(metadata.items()))}
    offset = 0
    for name, array in tensors.items():
        header[name] = {
            "dtype": names[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [offset, offset + array.nbytes],
        }
        offset += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with atomic_file(path) as partial, open(partial, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for array in tensors.values():
            file.write(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
