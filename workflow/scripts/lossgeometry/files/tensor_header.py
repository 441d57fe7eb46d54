"""The header of a safetensors file, and the index of a model's shards: read, checked and written here alone, without numpy.

Format: an 8-byte little-endian length, a JSON header {name: {dtype, shape, data_offsets}} of that length, the data. Files come
from strangers, so everything that the header says is checked before it is believed.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from lossgeometry.errors import InputError

_LONGEST_HEADER = 100_000_000
_BITS = {
    **dict.fromkeys(("F64", "I64", "U64", "C64"), 64),
    **dict.fromkeys(("F32", "I32", "U32"), 32),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 16),
    **dict.fromkeys(("I8", "U8", "BOOL", "F8_E4M3", "F8_E5M2", "F8_E8M0"), 8),
}
_POINTER = b"version https://git-lfs"


class CutShort(InputError):
    """A file that ends before its header says."""


class Entry(NamedTuple):
    """One tensor."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    """First byte, from the start of the file."""
    end: int
    """One past the last byte."""


class Header(NamedTuple):
    """What a file says of itself."""

    entries: dict[str, Entry]
    metadata: dict[str, str]


def read_header(path: str | Path) -> Header:
    """Return the checked header of a safetensors file.

    Raises
    ------
    CutShort
        If the file ends too early.
    InputError
        If it does not exist, is not in the format, or contradicts itself; the message is one sentence.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            start = file.read(8)
            if (start + file.read(len(_POINTER) - 8)).startswith(_POINTER):
                raise InputError(
                    f"{path} is a Git LFS pointer and not the file itself; run `git lfs pull` in its folder"
                )
            file.seek(8)
            length = int.from_bytes(start, "little")
            if len(start) < 8 or length > min(size - 8, _LONGEST_HEADER):
                raise CutShort(
                    f"{path} is not a complete safetensors file (it ends within its header); fetch or save it again"
                )
            header = json.loads(file.read(length))
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise InputError(f"{path} does not exist; check the path, and that weights are saved as safetensors") from None
    except (ValueError, RecursionError):
        raise InputError(f"{path} is not a safetensors file (its header is not JSON); save it as safetensors") from None
    if not isinstance(header, dict):
        raise _contradiction(path, "its header lacks shapes or offsets")
    metadata = header.pop("__metadata__", None) or {}
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise _contradiction(path, "its metadata are not strings")
    entries = {name: _entry(path, name, found, 8 + length) for name, found in header.items()}
    _check_places(path, entries, 8 + length, size)
    return Header(entries, metadata)


def header_of(
    tensors: Mapping[str, tuple[str, tuple[int, ...]]], metadata: Mapping[str, str], alignment: int = 8, room: int = 0
) -> tuple[bytes, dict[str, Entry]]:
    """Return the bytes that come before the data, and where each tensor goes: one after another.

    Parameters
    ----------
    tensors
        Name to type and shape.
    alignment
        The data starts at a multiple of so many bytes.
    room
        Fewest bytes before the data.
    """
    header: dict[str, object] = {"__metadata__": dict(metadata)}
    places, offset = {}, 0
    for name, (dtype, shape) in tensors.items():
        begin, offset = offset, offset + math.prod(shape) * _BITS[dtype] // 8
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, offset]}
        places[name] = Entry(dtype, tuple(shape), begin, offset)
    text = json.dumps(header, separators=(",", ":")).encode()
    text = text.ljust(room - 8)
    text += b" " * (-(8 + len(text)) % alignment)
    start = 8 + len(text)
    moved = {name: place._replace(begin=start + place.begin, end=start + place.end) for name, place in places.items()}
    return len(text).to_bytes(8, "little") + text, moved


def _contradiction(path: Path, what: str) -> InputError:
    return InputError(f"{path} is not a safetensors file ({what}); save it again")


def _entry(path: Path, name: str, found: object, start: int) -> Entry:
    if not isinstance(found, dict) or not {"dtype", "shape", "data_offsets"} <= found.keys():
        raise _contradiction(path, "its header lacks shapes or offsets")
    dtype, shape, offsets = found["dtype"], found["shape"], found["data_offsets"]
    if not isinstance(dtype, str):
        raise _contradiction(path, f"the type of {name!r} is not a word")
    if not _are_counts(shape):
        raise _contradiction(path, f"the shape of {name!r} is not a list of whole numbers")
    if not _are_counts(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise _contradiction(path, f"the offsets of {name!r} are not two increasing whole numbers")
    entry = Entry(dtype, tuple(shape), start + offsets[0], start + offsets[1])
    if dtype in _BITS and math.prod(shape) * _BITS[dtype] != 8 * (entry.end - entry.begin):
        raise InputError(
            f"{path} is damaged: the size of {name} does not agree with its shape {entry.shape}; save it again"
        )
    return entry


def _are_counts(values: object) -> bool:
    return isinstance(values, list) and all(type(value) is int and value >= 0 for value in values)


def _check_places(path: Path, entries: dict[str, Entry], start: int, size: int) -> None:
    """Raise unless the tensors lie one after another and fill the file."""
    needed = max((entry.end for entry in entries.values()), default=start)
    if size != needed:
        kind = CutShort if size < needed else InputError
        raise kind(
            f"{path} is cut short or damaged: its header announces {needed - start} bytes of data and "
            f"it holds {size - start}; fetch or save it again"
        )
    for entry in sorted(entries.values(), key=lambda entry: (entry.begin, entry.end)):
        if entry.begin != start:
            raise _contradiction(path, "its tensors overlap or leave gaps")
        start = entry.end


def shards_of(index: str | Path) -> dict[str, str]:
    """Return {tensor: file name} of an index of shards.

    Raises
    ------
    InputError
        If it is not an index, or names a file outside its folder.
    """
    try:
        shards = json.loads(Path(index).read_text(encoding="utf-8"))["weight_map"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InputError(f"{index} is not an index of shards; fetch or save the model again") from None
    if not isinstance(shards, dict) or not shards or not all(isinstance(name, str) for name in shards.values()):
        raise InputError(f"{index} is not an index of shards; fetch or save the model again")
    for name in sorted(set(shards.values())):
        if Path(name).name != name or "\\" in name or not name.endswith(".safetensors"):
            raise InputError(
                f"{index} names {name!r}, which is no safetensors file of its folder; fetch the model again"
            )
    return shards
