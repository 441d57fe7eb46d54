"""The sensitivity table puts each pair under the one thing that varies in it, with what was measured of both runs."""

import math

import pandas as pd
import pytest

from lossgeometry.report.sensitivity import COLUMNS, VARIES, sensitivity_table, what_varies
from lossgeometry.report.sensitivity_section import section


def pair(a, b):
    """Return the identity columns of a pair, each run given as (method, learning rate, seed)."""
    return {
        f"{key}_{side}": value
        for side, run in zip("ab", (a, b), strict=True)
        for key, value in zip(("method", "learning_rate", "seed"), run, strict=True)
    }


SFT, DPO = ("sft", 1e-3, 42), ("dpo", 1e-4, 42)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (SFT, ("sft", 1e-3, 123), "seed"),
        (SFT, ("sft", 1e-3, "42-o123"), "order"),
        (("sft", 1e-3, "7"), ("sft", 1e-3, "42-o7"), "initialisation"),
        (SFT, ("sft", 1e-4, 42), "learning rate"),
        (SFT, ("rft", 1e-3, 42), "loss"),
        (SFT, DPO, "loss and learning rate"),
        (SFT, ("dpo", 1e-3, 42), "loss"),
        (DPO, ("dpo@beta0.05", 1e-4, 42), "hyper-parameter"),
        (DPO, ("dpo@beta0.05", 1e-3, 42), ""),
        (SFT, ("rft", 1e-3, 123), ""),
        (SFT, ("sft", 1e-4, 123), ""),
        (SFT, ("mine", 0.0, "0"), ""),
    ],
)
def test_what_varies(a, b, expected):
    assert what_varies(pair(a, b)) == expected
    assert what_varies(pair(b, a)) == expected


def test_a_control_is_no_loss_and_its_seeds_are_no_loss_s_seeds():
    controls, control = ["offline_grpo@control"], ("offline_grpo@control", 1e-3, 42)
    assert what_varies(pair(SFT, control), controls) == what_varies(pair(control, SFT), controls) == "control"
    assert what_varies(pair(control, ("offline_grpo", 1e-3, 42)), controls) == "control"
    assert what_varies(pair(control, ("offline_grpo@control", 1e-3, 123)), controls) == ""
    assert what_varies(pair(DPO, control), controls) == ""


def geometry(pairs):
    """Return a geometry table; `pairs` are (run a, run b, identity a, identity b, cosine, norm a, norm b)."""
    rows = []
    for run_a, run_b, a, b, cosine, norm_a, norm_b in pairs:
        head = {"run_a": run_a, "run_b": run_b, **pair(a, b), "scope": "global", "side": "none", "k": math.nan}
        measured = {
            "cosine": cosine,
            "norm_a": norm_a,
            "norm_b": norm_b,
            "effective_rank_a": 5.0,
            "effective_rank_b": 6.0,
        }
        rows += [
            head | {"metric": name, "value": value, "null_mean": 0.0, "null_sd": 0.01}
            for name, value in measured.items()
        ]
        rows.append(head | {"scope": "projection", "metric": "cosine", "value": -9.0})
    return pd.DataFrame(rows)


@pytest.fixture
def tables():
    slow, matched, second = ("sft", 1e-4, 42), ("dpo", 1e-3, 42), ("sft", 1e-3, 123)
    return {
        "geometry": geometry(
            [
                ("sft.1", "dpo.1", SFT, DPO, 0.05, 4.0, 0.4),
                ("sft.1", "dpo.2", SFT, matched, 0.1, 4.0, 8.0),
                ("sft.1", "sft.2", SFT, slow, 0.7, 4.0, 1.0),
                ("sft.1", "sft.s", SFT, second, 0.3, 4.0, 4.1),
                ("dpo.1", "dpo.2", DPO, matched, 0.5, 0.4, 8.0),
                ("sft.2", "dpo.1", slow, DPO, 0.02, 1.0, 0.4),
            ]
        ),
        "barriers": pd.DataFrame(
            [
                ("sft.1", "sft.s", "reference_solution", 0.001, -0.002, 0.004, "no barrier"),
                ("sft.1", "sft.s", "boxed_answer", 9.0, 9.0, 9.0, "barrier"),
                ("sft.1", "dpo.2", "reference_solution", 0.5, 0.4, 0.6, "barrier"),
            ],
            columns=["run_a", "run_b", "loss", "difference", "difference_low", "difference_high", "verdict"],
        ),
        "accuracy": pd.DataFrame(
            [
                (run, benchmark, decoding, value)
                for run, value in (("base", 0.6), ("sft.1", 0.75), ("dpo.2", 0.25))
                for benchmark, decoding, value in (
                    ("easy", "greedy", 0.9),
                    ("easy", "sampled", value),
                    ("hard", "sampled", 0.1),
                )
            ],
            columns=["run", "benchmark", "decoding", "accuracy"],
        ),
    }


def test_each_row_has_what_was_measured_of_both_runs(tables):
    table = sensitivity_table(**tables)
    assert list(table.columns) == COLUMNS
    assert table.varies.tolist() == sorted(table.varies, key=VARIES.index)
    matched = table[table.run_b == "dpo.2"].set_index("run_a").loc["sft.1"]
    assert matched.varies == "loss" and matched.norm_ratio == 2.0
    assert (matched.cosine_to_sft_a, matched.cosine_to_sft_b) == (1.0, 0.1)
    assert (matched.barrier, matched.barrier_low, matched.barrier_verdict) == (0.5, 0.4, "barrier")
    assert (matched.accuracy_a, matched.accuracy_b, matched.benchmark) == (0.75, 0.25, "easy, sampled")
    seed = table[table.varies == "seed"].iloc[0]
    assert (seed.barrier, seed.cosine_to_sft_b) == (0.001, 1.0)  # each seed has an SFT run of its own
    assert math.isnan(seed.accuracy_b)


def test_tables_that_are_not_there_leave_columns_undefined(tables):
    table = sensitivity_table(tables["geometry"])
    assert len(table) == 6 and table.barrier.isna().all() and table.accuracy_a.isna().all()


def test_the_summary_says_what_each_thing_changes(tables):
    text = section({"sensitivity": sensitivity_table(**tables)}, {})
    assert "| seed | 1 | 0.300 (0.300 to 0.300) | 1.02 | 0.0010 (-0.0020 to 0.0040): no barrier |" in text
    assert "| learning rate | 2 | 0.600 (0.500 to 0.700) | 12.00 |" in text
    assert "| dpo.2 | sft.1 | 0.100 | 2.00 | 6.0 | 5.0 | 0.5000 (0.4000 to 0.6000): barrier | 25.0% | 75.0% |" in text


def test_without_a_sweep_there_is_no_section():
    table = sensitivity_table(geometry([("sft.1", "rft.1", SFT, ("rft", 1e-3, 42), 0.9, 1.0, 1.0)]))
    assert section({"sensitivity": table}, {}) == ""
    adapters = sensitivity_table(geometry([("a", "b", SFT, ("x", 0.0, "0"), 0.9, 1.0, 1.0)]))
    assert section({"sensitivity": adapters}, {}) == ""
