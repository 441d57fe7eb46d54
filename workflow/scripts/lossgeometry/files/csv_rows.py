"""CSV files that appear complete or not at all, with the same bytes for the same values.

One rule for every table: what is undefined is an empty cell, and a reader takes an empty cell and `nan` for undefined, and no
other word: a run may be called NA.
"""

import csv
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lossgeometry.files.atomic import atomic_file

if TYPE_CHECKING:
    import pandas as pd

UNDEFINED = ("", "nan")
"""What a reader takes for undefined; writers leave the cell empty."""


def write_rows(path: str | Path, columns: Sequence[str], rows: Iterable[Sequence[object]], digits: int = 10) -> None:
    """Write rows under a header; floats with so many significant digits."""

    def text(cell: object) -> object:
        if not isinstance(cell, float):
            return cell
        return "" if math.isnan(cell) else f"{cell:.{digits}g}"

    with atomic_file(path) as partial, open(partial, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([text(cell) for cell in row] for row in rows)


def write_frame(path: str | Path, frame: "pd.DataFrame", digits: int | None = 10) -> None:
    """Write a data frame; floats with so many significant digits, or all of them for None."""
    form = None if digits is None else f"%.{digits}g"
    with atomic_file(path) as partial:
        frame.to_csv(partial, index=False, lineterminator="\n", float_format=form)


def read_rows(path: str | Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file by column name, as text; `number` reads a cell."""
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def number(cell: str) -> float:
    """Return the number in a cell, NaN where it is undefined."""
    return math.nan if cell in UNDEFINED else float(cell)


def read_frame(path: str | Path, **options: Any) -> "pd.DataFrame":
    """Return a CSV file as a data frame, with options of `pandas.read_csv`."""
    import pandas as pd

    return pd.read_csv(path, **{"keep_default_na": False, "na_values": list(UNDEFINED), **options})
