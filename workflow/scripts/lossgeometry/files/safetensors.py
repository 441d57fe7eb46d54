"""Safetensors files, read tensor by tensor into numpy and written reproducibly.

The `safetensors` package maps whole files, so that a pass over a large checkpoint counts as resident memory, and
writes its metadata in an order that changes from process to process. Both matter here: jobs state their peak memory,
and equal results have equal bytes. `tensor_header` describes the format.
"""

import math
from collections.abc import Iterable, Mapping
from pathlib import Path

import ml_dtypes
import numpy as np

from lossgeometry.errors import InputError
from lossgeometry.files.atomic import atomic_file
from lossgeometry.files.tensor_header import header_of, read_header, shards_of

DTYPES = {
    "F64": np.dtype(np.float64),
    "F32": np.dtype(np.float32),
    "F16": np.dtype(np.float16),
    "BF16": np.dtype(ml_dtypes.bfloat16),
}


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
        If the file is missing, cut short or not in the format, as `read_header` says.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self._entries, self.metadata = read_header(path)
        self.shapes = {name: entry.shape for name, entry in self._entries.items()}

    def dtype(self, name: str) -> np.dtype:
        """Return the type a tensor is stored in.

        Raises
        ------
        InputError
            If it is not a floating-point type that numpy can hold.
        """
        stored = self._entries[name].dtype
        if stored not in DTYPES:
            raise InputError(f"{self.path}: {name} is stored as {stored}; save it as one of {', '.join(DTYPES)}")
        return DTYPES[stored]

    def read(self, name: str) -> np.ndarray:
        """Return one tensor in the type that it is stored in.

        Raises
        ------
        InputError
            If its type is not a float.
        """
        _, shape, begin, _ = self._entries[name]
        return np.fromfile(self.path, self.dtype(name), math.prod(shape), offset=begin).reshape(shape)


class TensorFolder:
    """The tensors of a model folder: one file, or the shards that an index names.

    Raises
    ------
    InputError
        If the folder holds neither `model.safetensors` nor `model.safetensors.index.json`, or the index is damaged.
    """

    def __init__(self, folder: str | Path):
        folder = Path(folder)
        index = folder / "model.safetensors.index.json"
        if index.is_file():
            shards = sorted(set(shards_of(index).values()))
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
    shapes = {name: (array.dtype, array.shape) for name, array in tensors.items()}
    stream_tensors(path, shapes, tensors.items(), metadata)


def stream_tensors(
    path: str | Path,
    largest: Mapping[str, tuple[np.dtype, tuple[int, ...]]],
    tensors: Iterable[tuple[str, np.ndarray]],
    metadata: Mapping[str, str],
) -> None:
    """Write a safetensors file as `write_tensors` does, with one tensor in memory at a time.

    Parameters
    ----------
    largest
        Type and largest shape of every tensor, in their order: the header goes before the data, and its length is known only
        from the shapes. Where one turns out smaller, spaces fill the header.
    """
    names = {dtype: name for name, dtype in DTYPES.items()}
    metadata = dict(sorted(metadata.items()))
    room = len(header_of({name: (names[dtype], shape) for name, (dtype, shape) in largest.items()}, metadata)[0])
    described = {}
    with atomic_file(path) as partial, open(partial, "wb") as file:
        file.seek(room)
        for name, array in tensors:
            described[name] = (names[array.dtype], array.shape)
            file.write(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
        head, _ = header_of(described, metadata, room=room)
        if len(head) > room:
            raise ValueError(f"{path}: a tensor is larger than announced")
        file.seek(0)
        file.write(head)
