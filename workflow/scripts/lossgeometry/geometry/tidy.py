"""Tidy tables of rows, as parquet and CSV files with reproducible bytes."""

import types
import typing
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from lossgeometry.atomic import atomic_file

_TYPES = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}


def table_of(rows: Sequence[tuple], row_type: type) -> pa.Table:
    """Return a table with one column per field of a NamedTuple class; `int | None` fields are nullable."""
    hints = typing.get_type_hints(row_type)
    columns = zip(*rows, strict=True) if rows else [()] * len(hints)
    arrays = [pa.array(column, _arrow_type(hint)) for column, hint in zip(columns, hints.values(), strict=True)]
    return pa.table(dict(zip(hints, arrays, strict=True)))


def _arrow_type(hint: type) -> pa.DataType:
    options = (
        [option for option in typing.get_args(hint) if option is not type(None)]
        if isinstance(hint, types.UnionType)
        else [hint]
    )
    return _TYPES[options[0]]


def write_parquet(path: str | Path, table: pa.Table) -> None:
    """Write a parquet file that appears complete or not at all."""
    with atomic_file(path) as partial:
        pa.parquet.write_table(table, partial, compression="zstd")


def write_csv(path: str | Path, table: pa.Table) -> None:
    """Write a CSV file that appears complete or not at all; NaN is an empty field."""
    with atomic_file(path) as partial:
        pa.csv.write_csv(_nan_to_null(table), partial, pa.csv.WriteOptions(quoting_style="needed"))


def _nan_to_null(table: pa.Table) -> pa.Table:
    columns = {name: table[name] for name in table.column_names}
    for name, column in columns.items():
        if pa.types.is_floating(column.type):
            columns[name] = pa.compute.if_else(pa.compute.is_nan(column), None, column)
    return pa.table(columns)
