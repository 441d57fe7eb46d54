"""What is said of replicates is what their tables hold: every kind with its own ceiling, and why one cannot tell."""

import math

import pandas as pd
import pytest

from lossgeometry.findings.names import Names
from lossgeometry.geometry.replicate_statements import statements

TITLES = {"sft": "SFT", "rft": "RFT", "dpo": "DPO"}
RUNS = pd.DataFrame(
    [(f"{label}.lr0.001.s1", label, 0.001, "1") for label in TITLES], columns=["run", "method", "learning_rate", "seed"]
)
ROWS = [
    ("order", "sft", "sft", 0.89, 0.89, *[math.nan] * 5, "", "one method"),
    ("order", "sft", "dpo", 0.89, 0.4, 0.05, 0.08, 0.01, 0.06, 0.1, "apart beyond noise", None),
    ("half", "sft", "dpo", 0.62, 0.3, 0.03, 0.12, 0.02, 0.04, 0.2, "apart beyond noise", None),
    ("half", "rft", "sft", 0.7, 0.62, 0.6, 0.91, 0.03, 0.83, 1.01, "cannot tell", None),
    ("half", "rft", "dpo", 0.7, 0.3, 0.1, 0.2, 0.03, 0.1, 0.3, "apart beyond noise", None),
]
COLUMNS = ["kind", "method_a", "method_b", "within_a", "within_b", "crossed", "corrected", "standard_error"]
COLUMNS += ["low", "high", "verdict", "note"]
COMPONENTS = [("initialisation", 0.69, 0.49, 0.89), ("order", 0.11, 0.09, 0.13), ("data", 0.4, 0.3, 0.5)]
COMPONENTS += [("loss", 0.45, 0.42, 0.48)]


def tables() -> dict[str, pd.DataFrame]:
    shares = pd.DataFrame(COMPONENTS, columns=["factor", "share", "low", "high"]).assign(pairs=1, note=None)
    return {"replicates": pd.DataFrame(ROWS, columns=COLUMNS), "components": shares}


@pytest.fixture
def found():
    return {one.id: one for one in statements(tables(), Names(RUNS, TITLES, "sft"))}


def test_a_loss_beside_the_reference_has_every_kind_with_its_own_ceiling(found):
    assert set(found) == {"replicates.sft--dpo", "replicates.sft--rft", "replicates.components"}
    one = found["replicates.sft--dpo"]
    assert "in another order: 0.080 (0.060 to 0.100, standard error 0.010), apart beyond noise" in one.statement
    assert "SFT with itself 0.890, DPO with itself 0.400" in one.statement
    assert "other half of the prompts: 0.120 (0.040 to 0.200" in one.statement
    assert "SFT with itself 0.620, DPO with itself 0.300" in one.statement
    assert one.verdict == "2 apart beyond noise"


def test_the_number_is_that_of_the_kind_in_which_the_two_are_nearest(found):
    one = found["replicates.sft--dpo"]
    assert (one.value, one.low, one.high) == (0.12, 0.04, 0.2)


def test_the_reference_comes_first_wherever_the_table_has_it(found):
    text = found["replicates.sft--rft"].statement
    assert "SFT with itself 0.620, RFT with itself 0.700" in text
    assert "cannot tell (the interval holds 0.95)" in text


def test_a_replicate_inside_chance_says_so():
    frames = tables()
    lost = frames["replicates"].kind == "order"
    columns = ["corrected", "standard_error", "low", "high"]
    frames["replicates"].loc[lost, columns] = math.nan
    frames["replicates"].loc[lost, ["verdict", "note"]] = ["cannot tell", "replicates of dpo are inside chance"]
    one = next(one for one in statements(frames, Names(RUNS, TITLES, "sft")) if one.id == "replicates.sft--dpo")
    assert (
        "cannot tell (replicates of dpo are inside chance; SFT with itself 0.890, DPO with itself 0.400)"
        in one.statement
    )
    assert one.verdict == "1 apart beyond noise, 1 cannot tell" and one.value == 0.12


def test_factors_are_set_beside_the_loss_by_their_intervals(found):
    one = found["replicates.components"]
    verdict = "initialisation: more; order: less; data: cannot tell (the intervals overlap)"
    assert one.verdict == verdict and f"Beside the loss: {verdict}." in one.statement
    assert (one.value, one.low, one.high) == (0.45, 0.42, 0.48)
    frames = tables()
    frames["components"] = frames["components"][frames["components"].factor != "loss"]
    assert "replicates.components" not in {one.id for one in statements(frames, Names(RUNS, TITLES, "sft"))}
