"""What is said of updates beside the base: sparse, or small? And do two losses change the same entries?"""

import pandas as pd
import pytest

from lossgeometry.base_relations.statements import statements
from lossgeometry.findings.names import Names

TITLES = {"sft": "SFT", "dpo": "DPO"}
SFT, DPO = "sft.lr0.001.s1", "dpo.lr0.001.s1"
NAMES = Names(
    pd.DataFrame(
        [
            *((run, run.split(".")[0], 0.001, "1", "trained", None) for run in (SFT, DPO)),
            *((f"edit.{one}", f"edit: {one}", 0.0, "", "derived", None) for one in ("a", "b")),
        ],
        columns=["run", "method", "learning_rate", "seed", "origin", "control"],
    ),
    TITLES,
    "sft",
)


def relations(equal, principal) -> pd.DataFrame:
    measured = {"sparsity": (0.02, 0.3), "sparsity_at_equal_norm": equal, "changed_principal": principal}
    rows = [
        (run, "global", metric, value, 0.5 if metric != "changed_principal" else 0.07, 0.01)
        for metric, values in measured.items()
        for run, value in zip((SFT, DPO), values, strict=True)
    ]
    rows += [("edit.a", "global", "sparsity_at_equal_norm", 0.9, 0.5, 0.01), (SFT, "layer", "sparsity", 0.9, 0.5, 0.01)]
    return pd.DataFrame(rows, columns=["run", "scope", "metric", "value", "null_mean", "null_sd"])


@pytest.mark.parametrize(
    ("equal", "verdict"),
    [
        ((0.5, 0.51), "2 as chance"),
        ((0.5, 0.6), "1 sparser than chance, 1 as chance"),
        ((0.4, 0.4), "2 denser than chance"),
    ],
)
def test_a_loss_is_sparse_only_beyond_random_directions_at_one_norm(equal, verdict):
    one = statements({"base_relations": relations(equal, (0.01, 0.2))}, NAMES)[0]
    assert one.verdict == verdict and one.value == pytest.approx(max(equal) - min(equal))
    assert "30.0 % (DPO) to 2.0 % (SFT) at their own norms" in one.statement
    assert "1 of 2 updates change fewer" in one.statement


def test_entries_are_shared_at_one_norm_and_at_one_divergence():
    rows = [
        (SFT, DPO, "own", 0.9, 0.9),
        (SFT, DPO, "equal", 0.6, 0.4),
        ("edit.a", "edit.b", "own", 0.7, 0.5),
        ("edit.a", "edit.b", "equal", 0.6, 0.4),
    ]
    overlaps = pd.DataFrame(rows, columns=["run_a", "run_b", "at_norm", "overlap", "null_mean"])
    edits = pd.DataFrame({"run": ["edit.a", "edit.b"], "operation": ["to_kl 0.003"] * 2})
    (one,) = statements({"changed_entries": overlaps, "edits": edits}, NAMES)
    assert "beside SFT: DPO 60.0 % (chance 40.0 %)." in one.statement
    assert one.statement.count("chance") == 2 and "70.0 % (chance 50.0 %)" in one.statement.split("At one KL")[1]
    assert one.value == pytest.approx(0.2) and one.verdict == "above chance"
    (one,) = statements({"changed_entries": overlaps[:2]}, NAMES)
    assert "At one KL" not in one.statement
