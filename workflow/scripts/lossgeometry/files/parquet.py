"""Parquet files that appear complete or not at all, with the same bytes for the same values."""

import typing
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from lossgeometry.files.atomic import atomic_file


def table_of(rows: Sequence[tuple], row_type: type) -> pa.Table:
    """Return a table with one column per field of a NamedTuple class; `int | None` fields are nullable."""
    hints = typing.get_type_hints(row_type)
    columns = zip(*rows, strict=True) if rows else [()] * len(hints)
    return pa.table({name: _array(column, hints[name]) for name, column in zip(hints, columns, strict=True)})


def _array(column: Sequence, hint: type) -> pa.Array:
    """Return an Arrow array, laid out by hand: `pa.array` imports pandas, which takes longer than a small pair."""
    if hint is str:
        encoded = [text.encode() for text in column]
        offsets = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
        return pa.StringArray.from_buffers(len(column), pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded)))
    if hint is float:
        return pa.Array.from_buffers(pa.float64(), len(column), [None, pa.py_buffer(np.array(column, np.float64))])
    present = np.array([value is not None for value in column], bool)
    values = np.array([value or 0 for value in column], np.int64)
    validity = None if present.all() else pa.py_buffer(np.packbits(present, bitorder="little"))
    return pa.Array.from_buffers(pa.int64(), len(column), [validity, pa.py_buffer(values)])


@contextmanager
def growing_parquet(path: str | Path, schema: pa.Schema, compression: str) -> Iterator[pa.parquet.ParquetWriter]:
    """Write a file batch by batch."""
    with atomic_file(path) as partial, pa.parquet.ParquetWriter(partial, schema, compression=compression) as parquet:
        yield parquet


def write_parquet(path: str | Path, table: pa.Table, compression: str = "zstd") -> None:
    """Write a table."""
    with growing_parquet(path, table.schema, compression) as parquet:
        parquet.write_table(table)
