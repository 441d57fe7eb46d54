"""Small CSV files that appear complete or not at all, with the same bytes for the same numbers."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lossgeometry.files.atomic import atomic_file

if TYPE_CHECKING:
    import pandas as pd


def write_rows(path: str | Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write rows under a header; floats with 10 significant digits, NaN as `nan`."""
    with atomic_file(path) as partial, open(partial, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([f"{cell:.10g}" if isinstance(cell, float) else cell for cell in row] for row in rows)


def write_frame(path: str | Path, frame: "pd.DataFrame", digits: int | None = 10) -> None:
    """Write a data frame; floats with so many significant digits, or all of them for None; undefined values are empty."""
    form = None if digits is None else f"%.{digits}g"
    with atomic_file(path) as partial:
        frame.to_csv(partial, index=False, lineterminator="\n", float_format=form)


def read_rows(path: str | Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file by column name."""
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
