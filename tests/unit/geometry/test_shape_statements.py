"""What stands beside a cosine in words: depth, outputs, subspaces and sizes, by the tables' numbers and nothing else."""

import numpy as np
import pandas as pd
import pytest

from lossgeometry.findings.names import Names
from lossgeometry.geometry.chance import ABOVE, BELOW, INSIDE
from lossgeometry.geometry.shape_statements import of_layers, of_outputs, of_sizes, of_subspaces

RUNS = [(f"{label}.lr0.001.s{seed}", label, 0.001, seed) for label in ("sft", "dpo") for seed in ("1", "2")]
NAMES = Names(
    pd.DataFrame(
        [(*run, "trained", None) for run in [*RUNS, ("sft.lr0.1.s1", "sft", 0.1, "1")]],
        columns=["run", "method", "learning_rate", "seed", "origin", "control"],
    ),
    {"sft": "SFT", "dpo": "DPO"},
    "sft",
)
PAIR = ("sft", "dpo")


def rows(values, verdict=ABOVE, **columns) -> pd.DataFrame:
    """One row a seed."""
    frame = pd.DataFrame({"value": values}).assign(null_mean=0.0, null_sd=0.1, verdict=verdict, **columns)
    return frame.assign(
        run_a=[f"sft.lr0.001.s{1 + index % 2}" for index in frame.index],
        run_b=[f"dpo.lr0.001.s{1 + index % 2}" for index in frame.index],
    )


def test_depth_names_the_layers_of_least_and_most_by_the_mean_over_seeds():
    frame = rows([0.1, 0.3, 0.5, 0.5], layer=[0, 0, 1, 1])
    frame.loc[0, "verdict"] = INSIDE
    one = of_layers(PAIR, frame, NAMES)
    assert "least alike in layer 0 (cosine 0.200) and most in layer 1 (0.500); 1 of 2 layers" in one.statement
    assert (one.low, one.high, one.value, one.seeds, one.section) == (0.2, 0.5, 0.3, 2, "layers")


@pytest.mark.parametrize(("tops", "verdict"), [((0.3, 0.5), "outputs are closer"), ((0.3, 0.0), "no closer")])
def test_outputs_are_closer_only_where_every_seed_says_so(tops, verdict):
    one = of_outputs(PAIR, rows([-0.1, 0.2]), rows(tops), NAMES)
    assert verdict in one.verdict and (one.low, one.high) == (min(tops), max(tops))
    assert "unrelated ones reach 0.196" in one.statement


def test_a_subspace_is_closer_only_below_what_unrelated_ones_have():
    frame = rows([20.0, 30.0], verdict=BELOW, k=4).assign(null_mean=65.0)
    one = of_subspaces(PAIR, frame, NAMES)
    assert "first of 4 angles" in one.statement and "25° (20° to 30° over 2 seeds)" in one.statement
    assert one.verdict == "closer than unrelated" and one.agreeing == 2
    assert "no closer" in of_subspaces(PAIR, frame.assign(verdict=[BELOW, INSIDE]), NAMES).verdict


def test_sizes_are_those_of_losses_at_their_own_rates():
    ends = [("sft.lr0.001.s1", "dpo.lr0.001.s1", 2.0, 0.5), ("sft.lr0.001.s2", "dpo.lr0.001.s2", 4.0, 1.0)]
    ends += [("sft.lr0.001.s1", "sft.lr0.1.s1", 2.0, 99.0)]
    table = [
        (a, b, f"{metric}_{end}", value)
        for a, b, *values in ends
        for end, value in zip("ab", values, strict=True)
        for metric in ("norm", "effective_rank")
    ]
    (one,) = of_sizes(pd.DataFrame(table, columns=["run_a", "run_b", "metric", "value"]), NAMES)
    assert "the longest update is SFT, 3 (2 to 4 over 2 seeds), and the least DPO, 0.75" in one.statement
    assert (one.low, one.value, one.high) == (2.0, 3.0, 4.0) and one.verdict == "longest SFT, shortest DPO"
    still = [(*row[:3], 0.0 if row[1].startswith("dpo") and row[2] == "norm_b" else row[3]) for row in table]
    (one,) = of_sizes(pd.DataFrame(still, columns=["run_a", "run_b", "metric", "value"]), NAMES)
    assert np.isfinite([one.low, one.value, one.high]).all(), "a run that never moved has no ratio to others"
