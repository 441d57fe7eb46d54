"""The table of hidden states keeps every digit, and sets chance, a control and a replicate beside every similarity."""

import math

import pandas as pd
import pytest

from lossgeometry.files.csv_rows import write_rows
from lossgeometry.representations.comparison import COLUMNS
from lossgeometry.representations.tabulation import NO_SPREAD, tabulate_similarities


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
    tabulate_similarities(list(VALUES), RUNS, (), files, tmp_path / "cka.csv")
    table = pd.read_csv(tmp_path / "cka.csv", float_precision="round_trip").set_index(["run_a", "run_b", "estimator"])
    assert table.value["sft", "dft", "shift_cosine"] == 0.3333333333
    row = table.loc["sft", "dft", "shift_cosine"]
    assert (row.control, row.replicate, row.note) == (0.4, 0.9, "why")
    assert table.control["sft", "dft", "relative_residual"] == pytest.approx(
        0.2
    )  # a residual is small where two are alike
    assert math.isnan(table.control["sft", "c", "shift_cosine"])


def test_shifts_spread_by_chance_as_those_of_random_directions_do(tmp_path):
    """A pair's row of the residual has the level of orthogonal shifts; how far chance moves it follows from the cosine's spread."""
    runs = {"sft": entry("sft"), "dft": entry("dft"), "noise": entry("noise", control=True)}
    values, files = {("sft", "dft"): 0.3, ("sft", "noise"): -0.06, ("dft", "noise"): 0.08}, []
    for number, value in enumerate(values.values()):
        rows = [(0, "shift_cosine", value, -1.0, 1.0, 0.0, math.nan, "")]
        rows.append((0, "relative_residual", 0.02, 0.0, 1.0, 0.05, math.nan, ""))
        rows.append((1, "shift_cosine", math.nan, math.nan, math.nan, 0.0, math.nan, "equal to the base"))
        files.append(tmp_path / f"{number}.csv")
        write_rows(files[-1], COLUMNS, rows)
    for random, spread, note in ((["noise"], 0.0707106781, None), ([], math.nan, NO_SPREAD)):
        tabulate_similarities(list(values), runs, random, files, tmp_path / "cka.csv")
        table = pd.read_csv(tmp_path / "cka.csv").set_index(["run_a", "run_b", "layer", "estimator"])
        cosine, residual = (table.loc["sft", "dft", 0, name] for name in ("shift_cosine", "relative_residual"))
        assert cosine.null_sd == pytest.approx(spread, nan_ok=True) and cosine.null_mean == 0
        assert residual.null_sd == pytest.approx(0.025 * spread, nan_ok=True) and residual.null_mean == 0.05
        assert cosine.note == note or (note is None and pd.isna(cosine.note))
        undefined = table.loc["sft", "dft", 1, "shift_cosine"]
        assert math.isnan(undefined.null_sd) and undefined.note == "equal to the base"
