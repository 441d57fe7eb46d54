"""Tables as compact JSON: one list per column, and rounded numbers."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

DIGITS = 4
"""Enough for the weights. Hidden states of models with one base differ only from the fourth digit on: those get more."""
MANY_DIGITS = 7


def rounded(value: Any, digits: int = DIGITS) -> Any:
    """Return a number with that many significant digits, None for NaN and infinities, anything else unchanged."""
    if not isinstance(value, float):
        return value
    if not math.isfinite(value):
        return None
    short = float(f"{value:.{digits}g}")
    return int(short) if short.is_integer() else short


def columns_of(rows: Iterable[Mapping[str, Any]], names: Sequence[str], digits: int = MANY_DIGITS) -> dict[str, list]:
    """Return {column: values} of rows; a column that is missing in a row holds None there."""
    rows = list(rows)
    return {name: [rounded(row.get(name), digits) for row in rows] for name in names}


def packed(columns: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """Return a table's columns, those of text with few different values as `of` (the values) and `at` (which of them)."""
    return {name: _packed(values) for name, values in columns.items()}


def _packed(values: Sequence[Any]) -> Any:
    if not all(value is None or isinstance(value, str) for value in values):
        return values
    of = list(dict.fromkeys(values))
    place = {value: index for index, value in enumerate(of)}
    return {"of": of, "at": [place[value] for value in values]} if 2 * len(of) < len(values) else values


def rows_of(columns: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Return the rows that `columns_of` took apart."""
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def records(frame) -> list[dict[str, Any]]:
    """Return a DataFrame's rows with built-in types; missing values of text columns are empty strings."""
    found = []
    for row in frame.to_dict("records"):
        found.append({name: value.item() if hasattr(value, "item") else value for name, value in row.items()})
    return found
