"""What stands beside a similarity: the control's and the replicates' own, and a verdict that needs both methods' noise."""

import math

import numpy as np
import pandas as pd
import pytest

from lossgeometry.geometry.beside import (
    BEYOND,
    CANNOT_TELL,
    EACH_OTHER,
    KEY,
    OTHER_START,
    WITHIN,
    Beside,
    judge_reshuffle,
    pairs_beside,
    values_beside,
)
from lossgeometry.geometry.section import section

RATE = 1e-3


def entry(method, init=42, order=None, rate=RATE, control=False):
    order = init if order is None else order
    return {"method": method, "learning_rate": rate, "seed": "", "init": init, "order": order, "control": control}


GIVEN = {"method": "mine", "learning_rate": None, "seed": "", "init": None, "order": None, "control": False}
RUNS = {
    "sft": entry("sft"),
    "sft'": entry("sft", order=7),
    "sft2": entry("sft", init=2),
    "dft": entry("dft"),
    "dft2": entry("dft", init=2),
    "dpo": entry("dpo", rate=1e-4),
    "control": entry("grpo@control", control=True),
    "control2": entry("grpo@control", init=2, control=True),
    "mine": GIVEN,
}
COMPARED = [(a, b) for i, a in enumerate(RUNS) for b in list(RUNS)[i + 1 :]]


def of(a, b, compared=COMPARED, runs=RUNS):
    return pairs_beside((a, b), compared, runs)


def test_controls_share_the_initialisation_where_the_two_runs_do():
    assert of("sft", "dft").controls == [("sft", "control"), ("dft", "control")]
    assert ("control", "control2") in of("sft", "dft2").controls
    assert {("sft", "control2"), ("dft2", "control")} <= set(of("sft", "dft2").controls)
    assert ("sft", "control") not in of("sft", "dft2").controls


def test_neither_a_control_nor_a_stranger_is_read_beside_anything():
    assert of("sft", "control") == of("sft", "mine") == Beside([], [], [], "")


def test_a_replicate_differs_in_the_order_alone_and_serves_its_method_at_any_initialisation():
    assert of("sft", "dft").replicates == [("sft", "sft'")] == of("sft2", "dft2").replicates
    assert of("sft", "dft2").replicates == [] == of("sft", "sft'").replicates
    assert of("sft", "dft2").reason == OTHER_START and of("sft", "sft'").reason == EACH_OTHER


def test_what_lacks_is_named_with_its_key():
    reason = of("sft", "dft").reason
    assert reason == "no order replicate of dft; add {init: 42, order: 43} to methods.dft.further_seeds"
    assert of("dft", "dpo").stand_ins == [("sft", "sft'")] and of("dft", "dpo").replicates == []
    assert (
        "dft and dpo; add {init: 42, order: 43} to methods.dft.further_seeds and methods.dpo.further_seeds"
        in of("dft", "dpo").reason
    )
    both = RUNS | {"dft'": entry("dft", order=9)}
    compared = [*COMPARED, ("dft", "dft'")]
    assert of("sft", "dft", compared, both).reason == ""
    assert len(of("sft", "dft", compared, both).replicates) == 2


def test_the_most_alike_control_and_the_mean_replicate_stand_beside_similarities_alone():
    rows = [("cosine", "none"), ("angle_first", "output"), ("norm_a", "none")]
    index = pd.MultiIndex.from_tuples(
        [("global", "", math.nan, "", metric, side, math.nan) for metric, side in rows], names=KEY
    )
    values = {
        pair: pd.Series(numbers, index=index)
        for pair, numbers in {
            ("sft", "control"): [0.3, 50.0, 1.0],
            ("dft", "control"): [0.2, 40.0, 1.0],
            ("sft", "sft'"): [0.9, 10.0, 1.0],
            ("x", "x'"): [0.7, 20.0, 1.0],
        }.items()
    }
    near = Beside([("sft", "control"), ("dft", "control")], [("sft", "sft'"), ("x", "x'")], [], "")
    control, replicate = values_beside(index, near, values)
    np.testing.assert_allclose(control, [0.3, 40, math.nan])
    np.testing.assert_allclose(replicate, [0.8, 15, math.nan])
    control, replicate = values_beside(index, Beside([], [], [("x", "x'")], "none"), values)
    np.testing.assert_allclose(replicate, [0.7, 20, math.nan])
    assert np.isnan(control).all()


NOISE = np.random.default_rng(0).normal(0, 0.01, 1000)
ALIKE, APART = 0.93 + NOISE, 0.4 + NOISE
SFT, DFT = 0.91 + NOISE, 0.90 + NOISE


@pytest.mark.parametrize(
    ("draws", "replicates", "reason", "verdict"),
    [
        (ALIKE, [SFT], "no order replicate of dft", WITHIN),  # paired: its own noise alone would hide .02
        (ALIKE, [SFT, 0.95 + NOISE], "", CANNOT_TELL),  # replicates disagree
        (APART, [SFT], "no order replicate of dft", CANNOT_TELL),  # that of the other may be as large
        (APART, [SFT, DFT], "", BEYOND),
        (0.91 - NOISE, [SFT, DFT], "", CANNOT_TELL),
        (APART, [], "no order replicate of both", CANNOT_TELL),
        (None, [None], "", CANNOT_TELL),
        (APART, [], OTHER_START, ""),
        (APART, [], EACH_OTHER, ""),
        (APART, [], "", ""),
    ],
)
def test_the_verdict_on_a_reshuffle(draws, replicates, reason, verdict):
    found, why = judge_reshuffle(draws, replicates, reason)
    assert found == verdict
    assert verdict == "" or bool(why) == (verdict == CANNOT_TELL)
    if reason and verdict == CANNOT_TELL:
        assert why == reason


def test_the_summary_names_every_key_that_would_tell_a_reshuffle():
    seed = "add {init: 42, order: 43} to"
    reasons = {
        ("sft", "dft"): f"no order replicate of dft; {seed} methods.dft.further_seeds",
        (
            "dft",
            "dpo",
        ): f"no order replicate of dft and dpo; {seed} methods.dft.further_seeds and methods.dpo.further_seeds",
        ("sft", "rft"): "it needs two layers",
        ("sft", "dpo"): "",
    }
    row = {"scope": "global", "metric": "cosine", "side": "none", "value": 0.5, "null_mean": 0.0, "null_sd": 0.1}
    row |= {"k": math.nan, "control": 0.2, "replicate": 0.9, "replicate_of": "sft"}
    told = {
        pair: {"reshuffle": CANNOT_TELL if why else BEYOND, "reshuffle_reason": why} for pair, why in reasons.items()
    }
    geometry = pd.DataFrame([row | {"run_a": a, "run_b": b} | verdict for (a, b), verdict in told.items()])
    runs = pd.DataFrame({"run": ["sft", "dft", "rft", "dpo"], "control": ["", "", "", ""]})
    assert section({"geometry": geometry, "runs": runs}, {}).splitlines()[-1] == (
        "3 of 4 pairs cannot be told from a reshuffle: add {init: 42, order: 43} to methods.dft.further_seeds,"
        " methods.dpo.further_seeds (an order replicate of each method); it needs two layers."
    )
