"""One way to write and to read tables: the same values, the same bytes; what is undefined is an empty cell."""

import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from lossgeometry.files.csv_rows import number, read_frame, read_rows, write_frame, write_rows
from lossgeometry.files.parquet import growing_parquet, write_parquet
from lossgeometry.provenance import SCRIPTS

COLUMNS = ("run", "layer", "value", "error")
ROWS = [("NA", 0, 1 / 3, math.nan), ("null", 1, np.float64(-2e-17), 0.5), ("b,c", 2, math.inf, 1e300)]


def test_rows_and_frames_give_the_same_bytes(tmp_path):
    write_rows(tmp_path / "rows.csv", COLUMNS, ROWS)
    write_frame(tmp_path / "frame.csv", pd.DataFrame(ROWS, columns=COLUMNS))
    assert (tmp_path / "rows.csv").read_bytes() == (tmp_path / "frame.csv").read_bytes()
    assert (tmp_path / "rows.csv").read_text().splitlines()[1] == "NA,0,0.3333333333,"


@pytest.mark.parametrize("undefined", ["", "nan"])
def test_readers_take_an_empty_cell_and_nan_for_undefined_and_no_name_of_a_run(tmp_path, undefined):
    file = tmp_path / "table.csv"
    file.write_text(f"run,value\nNA,{undefined}\nnull,2\nNone,0.5\n")
    frame, rows = read_frame(file), read_rows(file)
    assert list(frame.run) == [row["run"] for row in rows] == ["NA", "null", "None"]
    np.testing.assert_array_equal(frame.value, [math.nan, 2.0, 0.5])
    np.testing.assert_array_equal([number(row["value"]) for row in rows], [math.nan, 2.0, 0.5])


def test_parquet_written_at_once_and_batch_by_batch_has_the_bytes_that_pandas_writes(tmp_path):
    frame = pd.DataFrame(ROWS, columns=COLUMNS)
    table = pa.Table.from_pandas(frame, preserve_index=False)
    frame.to_parquet(tmp_path / "pandas", index=False, compression="zstd")
    write_parquet(tmp_path / "table", table)
    with growing_parquet(tmp_path / "batches", table.schema, "zstd") as parquet:
        parquet.write_batch(table.to_batches()[0])
    expected = (tmp_path / "pandas").read_bytes()
    assert (tmp_path / "table").read_bytes() == (tmp_path / "batches").read_bytes() == expected


def test_nothing_outside_the_room_of_files_writes_or_parses_tables_and_headers():
    own = re.compile(
        r"csv\.writer|to_csv|to_parquet|write_table\(|ParquetWriter|__metadata__|struct\.pack|read_csv(?!.*sep=)"
    )
    files = [path for path in SCRIPTS.rglob("*.py") if path.parent.name != "files"]
    found = [(path.name, line) for path in files for line in Path(path).read_text().splitlines() if own.search(line)]
    assert not found
