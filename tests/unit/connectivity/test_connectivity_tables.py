"""The tables over all pairs, and the words of the summary."""

import numpy as np
import pandas as pd

from lossgeometry.connectivity import section as connectivity
from lossgeometry.connectivity.endpoints import PointLosses, write_losses
from lossgeometry.connectivity.tabulation import BARRIER_COLUMNS, tabulate_pairs, tabulate_shrinkage
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
    write_losses(tmp_path / "base.csv", {"x": PointLosses(("p", "q"), np.array([0.0]), np.array([[1.0, 3.0]]))})
    write_losses(tmp_path / "a.csv", {"x": PointLosses(("p", "q"), np.array([0.5, 1.0]), np.array([[1, 1], [0, 2.0]]))})
    tabulate_shrinkage(["base", "a"], [tmp_path / "base.csv", tmp_path / "a.csv"], tmp_path / "shrinkage.csv")
    table = pd.read_csv(tmp_path / "shrinkage.csv")
    assert table["run"].tolist() == ["base", "a", "a"]
    assert table["multiple"].tolist() == [0, 0.5, 1]
    assert table["value"].tolist() == [2, 1, 1]
    assert table["se"].tolist() == [1, 0, 1]


def test_the_summary_shows_the_verdicts_of_the_table():
    row = dict.fromkeys(BARRIER_COLUMNS, 0.5) | {"run_a": "sft", "loss": "boxed_answer", "reason": float("nan")}
    judged = [("rft", "barrier", float("nan")), ("dpo", "no barrier", ""), ("dft", "cannot tell", "too few")]
    rows = [row | {"run_b": run, "verdict": verdict, "reason": reason} for run, verdict, reason in judged]
    text = connectivity.section({"barriers": pd.DataFrame(rows)}, {})
    assert (
        "separates 1 of 3 pairs, 1 have none of that size (1 have a smaller one), 1 cannot be told; the base has 0.5000"
        in text
    )
    numbers = "0.5000 | 0.5000 | 0.5 | 0.5000 (0.5000) | 0.5000 | 0.5000 (0.5000 to 0.5000) | 0.5000"
    for run, verdict in (("rft", "barrier"), ("dpo", "no barrier"), ("dft", "cannot tell: too few")):
        assert f"| sft - {run} | {numbers} | {verdict} |" in text


def test_the_summary_shows_the_last_layer_and_names_what_is_undefined(tmp_path):
    nan = float("nan")
    pair = [
        (0, "debiased", 0.5, 0.4, 0.6, 0.0, nan, ""),
        (0, "shift_cosine", 0.5, 0.4, 0.6, 0.0, nan, ""),
        (1, "debiased", 0.9, 0.8, 1.0, 0.0, nan, ""),
        (1, "shift_cosine", *[nan] * 5, "a reason"),
    ]
    table = gathered(tmp_path, COLUMNS, [pair, pair])
    for control, shown in ((nan, ""), (0.7, "; 0.7000")):
        text = representations.section({"cka": table.assign(control=control)}, {})
        assert f"| sft - dpo | 0.9000 (0.8000, 1.0000){shown} | undefined: a reason | 0.5000 in layer 0 |" in text
