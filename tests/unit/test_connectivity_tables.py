"""The tables over all pairs, and the words of the summary."""

import numpy as np
import pandas as pd

from lossgeometry.connectivity import section as connectivity
from lossgeometry.connectivity.endpoints import EndPoint, write_endpoint
from lossgeometry.connectivity.paths import BARRIER_COLUMNS
from lossgeometry.connectivity.tabulation import tabulate_pairs, tabulate_shrinkage
from lossgeometry.files.csv_rows import write_rows
from lossgeometry.representations import section as representations
from lossgeometry.representations.comparison import COLUMNS

PAIRS = [("sft", "dpo"), ("sft", "rft")]


def gathered(tmp_path, columns, rows_of_pairs):
    files = [tmp_path / f"{number}.csv" for number in range(len(rows_of_pairs))]
    for file, rows in zip(files, rows_of_pairs, strict=True):
        write_rows(file, columns, rows)
    tabulate_pairs(PAIRS, files, tmp_path / "table.csv")
    return pd.read_csv(tmp_path / "table.csv")


def test_rows_of_all_pairs_in_their_order(tmp_path):
    table = gathered(tmp_path, ("loss", "t", "note"), [[("x", 0.5, ""), ("x", 1.0, "why")], [("x", 0.25, "")]])
    assert list(table.columns) == ["run_a", "run_b", "loss", "t", "note"]
    assert table["run_b"].tolist() == ["dpo", "dpo", "rft"]
    assert table["t"].tolist() == [0.5, 1.0, 0.25]


def test_shrinkage_has_mean_and_error_of_every_multiple(tmp_path):
    write_endpoint(tmp_path / "base.csv", {"x": EndPoint(("p", "q"), np.array([0.0]), np.array([[1.0, 3.0]]))})
    write_endpoint(tmp_path / "a.csv", {"x": EndPoint(("p", "q"), np.array([0.5, 1.0]), np.array([[1, 1], [0, 2.0]]))})
    tabulate_shrinkage(["base", "a"], [tmp_path / "base.csv", tmp_path / "a.csv"], tmp_path / "shrinkage.csv")
    table = pd.read_csv(tmp_path / "shrinkage.csv")
    assert table["run"].tolist() == ["base", "a", "a"]
    assert table["multiple"].tolist() == [0, 0.5, 1]
    assert table["value"].tolist() == [2, 1, 1]
    assert table["se"].tolist() == [1, 0, 1]


def test_the_summary_counts_barriers_beyond_twice_their_error(tmp_path):
    row = dict.fromkeys(BARRIER_COLUMNS, 0.5) | {"loss": "boxed_answer", "barrier_se": 0.1}
    rows = [[tuple((row | {"barrier": height}).values())] for height in (0.15, 0.25)]
    text = connectivity.section({"barriers": gathered(tmp_path, BARRIER_COLUMNS, rows)}, {})
    assert "1 of 2 pairs are separated" in text
    assert "| sft - rft | 0.5000 | 0.5000 | 0.2500 (0.1000) | 0.5 |" in text


def test_the_summary_shows_the_last_layer_and_names_what_is_undefined(tmp_path):
    pair = [
        (0, "debiased", 0.5, 0.4, 0.6, ""),
        (0, "shift_cosine", 0.5, 0.4, 0.6, ""),
        (1, "debiased", 0.9, 0.8, 1.0, ""),
        (1, "shift_cosine", float("nan"), float("nan"), float("nan"), "a reason"),
    ]
    text = representations.section({"cka": gathered(tmp_path, COLUMNS, [pair, pair])}, {})
    assert "| sft - dpo | 0.9000 (0.8000, 1.0000) | undefined: a reason | 0.5000 in layer 0 |" in text


def test_without_a_barrier_the_summary_says_how_far_below_its_chord_a_path_is(tmp_path):
    row = dict.fromkeys(BARRIER_COLUMNS, 0.0) | {"loss": "reference_solution", "inner_excess": -0.25}
    text = connectivity.section({"barriers": gathered(tmp_path, BARRIER_COLUMNS, [[tuple(row.values())]] * 2)}, {})
    assert "| none: -0.2500 (0.0000) |  | 0.0000 |" in text
