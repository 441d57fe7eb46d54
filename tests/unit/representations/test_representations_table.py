"""The table of hidden states keeps every digit, and sets a control and a replicate beside every similarity."""

import math

import pandas as pd
import pytest

from lossgeometry.files.csv_rows import write_rows
from lossgeometry.representations.comparison import COLUMNS
from lossgeometry.representations.tabulation import tabulate_similarities


def entry(method, order=42, control=False):
    return {"method": method, "learning_rate": 1e-3, "seed": "", "init": 42, "order": order, "control": control}


RUNS = {"sft": entry("sft"), "again": entry("sft", 7), "dft": entry("dft"), "c": entry("x@control", control=True)}
VALUES = {("sft", "again"): 0.9, ("sft", "dft"): 1 / 3, ("sft", "c"): 0.2, ("dft", "c"): 0.4}


def test_every_similarity_stands_beside_the_most_alike_control_and_the_replicate(tmp_path):
    files = []
    for number, value in enumerate(VALUES.values()):
        rows = [(0, name, value, 0.0, 1.0, math.nan, math.nan, "why") for name in ("shift_cosine", "relative_residual")]
        files.append(tmp_path / f"{number}.csv")
        write_rows(files[-1], COLUMNS, rows)
    tabulate_similarities(list(VALUES), RUNS, files, tmp_path / "cka.csv")
    table = pd.read_csv(tmp_path / "cka.csv", float_precision="round_trip").set_index(["run_a", "run_b", "estimator"])
    assert table.value["sft", "dft", "shift_cosine"] == 0.3333333333
    row = table.loc["sft", "dft", "shift_cosine"]
    assert (row.control, row.replicate, row.note) == (0.4, 0.9, "why")
    assert table.control["sft", "dft", "relative_residual"] == pytest.approx(
        0.2
    )  # a residual is small where two are alike
    assert math.isnan(table.control["sft", "c", "shift_cosine"])
