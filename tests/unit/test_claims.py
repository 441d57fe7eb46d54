"""The claims: the paper's own numbers agree with the paper, opposite ones contradict it, and missing ones say so."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from lossgeometry.evaluation.claim_rules import RULES
from lossgeometry.evaluation.claims import COLUMNS, judge_claims, overall, tabulate_claims
from lossgeometry.evaluation.claims_section import section as claims_section
from lossgeometry.evaluation.evidence import Evidence
from lossgeometry.experiment.runs import Run

REFERENCE_FILE = Path(__file__).parents[2] / "resources" / "paper_reference.yaml"
REFERENCE = yaml.safe_load(REFERENCE_FILE.read_text(encoding="utf-8"))
PAPER = REFERENCE["student"]
LABELS = ["sft", "rft", "dft", "rift", "offline_grpo", "dpo", "online_grpo", "online_dapo"]
SFT, RFT, DFT, RIFT, GRPO, DPO, ONLINE, DAPO = (f"{label}.lr1e-05.s42" for label in LABELS)
SEED, FAST = "sft.lr1e-05.s123", "sft.lr0.0001.s42"
RUNS = [
    *(Run(f"{label}.lr1e-05.s42", label, label, 1e-5, 42, 42) for label in LABELS),
    Run(SEED, "sft", "sft", 1e-5, 123, 123),
    Run(FAST, "sft", "sft", 1e-4, 42, 42, default=False),
    Run("external.mine", "mine", "", folder="somewhere", origin="given"),
]
COSINES = {
    (SFT, RFT): 0.977,
    (SFT, RIFT): 0.967,
    (RFT, RIFT): 0.969,
    (SFT, GRPO): 0.74,
    (SFT, DFT): 0.572,
    (RIFT, DFT): 0.536,
    (SFT, DPO): 0.06,
    (SFT, ONLINE): 0.025,
    (RFT, ONLINE): 0.024,
    (DPO, DAPO): -0.01,
    (ONLINE, DAPO): 0.03,
    (SFT, SEED): 0.2,
    (SFT, FAST): 0.55,
    (SFT, "external.mine"): 0.99,
}
NORMS = {SFT: 2.84, RFT: 2.82, RIFT: 3.04, DPO: 0.22, FAST: 8.5}
RANKS = {DPO: 24.5, GRPO: 14.8}


def geometry_table():
    rows = []
    for (a, b), cosine in COSINES.items():
        rows += [(a, b, "cosine", "none", None, cosine, 0.0, 0.01)]
        rows += [(a, b, "top_direction", "output", None, 0.99, 0.02, 0.01)]
        rows += [(a, b, "orthogonal_fraction", "none", None, 0.67, 1.0, 0.01)]
        for side, run in zip("ab", (a, b), strict=True):
            rows += [(a, b, f"norm_{side}", "none", None, NORMS.get(run, 2.8), np.nan, np.nan)]
            rows += [(a, b, f"effective_rank_{side}", "none", None, RANKS.get(run, 16.0), np.nan, np.nan)]
    table = pd.DataFrame(rows, columns=["run_a", "run_b", "metric", "side", "k", "value", "null_mean", "null_sd"])
    # A projection's value must never be taken for the global one.
    part = table.assign(scope="projection", projection="q", value=-5.0)
    return pd.concat([part, table.assign(scope="global", projection=None)], ignore_index=True)


def layers_table():
    shares = np.concatenate([np.full(18, 0.5), np.full(10, 0.6), np.full(8, 0.82)])
    rows = [(SFT, GRPO, layer, "orthogonal_fraction", "none", share) for layer, share in enumerate(shares)]
    rows += [(SFT, GRPO, layer, "cosine", "none", 0.0) for layer in range(36)]
    return pd.DataFrame(rows, columns=["run_a", "run_b", "layer", "metric", "side", "value"])


def barriers_table():
    rows = [(SFT, GRPO, "no barrier", 0.0), (RIFT, DPO, "barrier", 0.83), (SEED, SFT, "no barrier", 0.004)]
    table = pd.DataFrame(rows, columns=["run_a", "run_b", "verdict", "difference"])
    table = table.assign(difference_low=table.difference - 0.02, difference_high=table.difference + 0.02, reason="")
    return pd.concat([table.assign(loss=loss) for loss in ("reference_solution", "boxed_answer")])


def cka_table():
    rows = []
    for a in (GRPO, DFT):
        curve = np.concatenate([np.full(25, 0.93), np.linspace(0.9, 0.45, 11)])
        rows += [(a, DPO, layer, "debiased", value, value - 0.02, value + 0.02) for layer, value in enumerate(curve)]
        rows += [(DPO, a, layer, "biased_prompts", 1.0, 1.0, 1.0) for layer in range(36)]
    return pd.DataFrame(rows, columns=["run_a", "run_b", "layer", "estimator", "value", "low", "high"])


def accuracy_table():
    values = dict.fromkeys([SFT, RFT, DFT, RIFT, GRPO], 0.88) | {DPO: 0.94, ONLINE: 0.935, DAPO: 0.94, "base": 0.94}
    rows = [
        (run, "gsm8k", "greedy", value, 0.021, value - 0.94, value - 0.95, value - 0.93)
        for run, value in values.items()
    ]
    columns = ["run", "benchmark", "decoding", "accuracy", "minimum_detectable_difference"]
    table = pd.DataFrame(rows, columns=[*columns, "difference_to_base", "difference_low", "difference_high"])
    # The first benchmark is another one, and sampled rows exist: neither may be read.
    other = table.assign(benchmark="aime2026", accuracy=0.0)
    return pd.concat([other, table.assign(decoding="sampled", accuracy=0.1), table], ignore_index=True)


def mcnemar_table():
    rows = [(a, b, "gsm8k", 20, 22, 0.8, 1.0) for a, b in combinations([SFT, RFT, DFT, RIFT, GRPO], 2)]
    rows += [(run, DPO, "gsm8k", 10, 90, 1e-9, 1e-8) for run in (SFT, RFT, DFT, RIFT, GRPO)]
    columns = ["run_a", "run_b", "benchmark", "b", "c", "p", "p_holm"]
    return pd.DataFrame(rows, columns=columns)


def paper_tables():
    return {
        "geometry": geometry_table(),
        "layers": layers_table(),
        "barriers": barriers_table(),
        "cka": cka_table(),
        "accuracy": accuracy_table(),
        "mcnemar": mcnemar_table(),
    }


def judge(tables, runs=RUNS, student=PAPER):
    return judge_claims(REFERENCE, student, Evidence(tables, runs))


def verdict(tables, claim, part):
    table = judge(tables).set_index(["claim", "part"])
    return table.loc[(claim, part), "verdict"]


def set_rows(table, value, column="value", **where):
    rows = np.logical_and.reduce([table[name] == wanted for name, wanted in where.items()])
    assert rows.any()
    table.loc[rows, column] = value


def test_the_reference_has_all_eight_claims_and_a_rule_for_each_part():
    parts = [(entry["claim"], entry["part"]) for entry in REFERENCE["claims"]]
    assert list(dict.fromkeys(claim for claim, _ in parts)) == ["i", "ii", "iii", "iv", "v", "vi", "vii", "viii"]
    assert len(set(parts)) == len(parts) and set(parts) == set(RULES)
    for entry in REFERENCE["claims"]:
        assert len({"at_least", "at_most", "expects"} & set(entry)) == 1


def test_the_papers_own_numbers_agree_with_the_paper():
    table = judge(paper_tables())
    assert table[table.verdict != "agrees"].to_dict("records") == []
    assert list(table.columns) == COLUMNS and not table.isna().any(axis=None)
    assert set(overall(table).values()) == {"agrees"}
    assert not table.caveat.str.contains("Scale differs").any()


CONTRADICTIONS = {
    ("i", "colinear"): lambda t: set_rows(t["geometry"], 0.6, metric="cosine", run_a=RFT, run_b=RIFT),
    ("i", "accuracy"): lambda t: set_rows(t["mcnemar"], 0.01, column="p_holm", run_a=SFT, run_b=RIFT),
    ("ii", "distance"): lambda t: set_rows(t["geometry"], 0.9, metric="cosine", run_a=SFT, run_b=DFT),
    ("iii", "orthogonal"): lambda t: set_rows(t["geometry"], 0.015, metric="cosine", run_a=SFT, run_b=GRPO),
    ("iii", "depth"): lambda t: t["layers"].update({"layer": 35 - t["layers"].layer}),
    ("iii", "basin"): lambda t: set_rows(t["barriers"], "barrier", column="verdict", run_a=SFT, run_b=GRPO),
    ("iv", "orthogonal"): lambda t: set_rows(t["geometry"], -0.5, metric="cosine", run_a=SFT, run_b=DPO),
    ("iv", "barrier"): lambda t: set_rows(t["barriers"], "no barrier", column="verdict", run_a=RIFT, run_b=DPO),
    ("iv", "representations"): lambda t: set_rows(t["cka"], 0.9, layer=35, run_a=DFT, estimator="debiased"),
    ("v", "offline"): lambda t: set_rows(t["geometry"], -0.5, metric="cosine", run_a=DPO, run_b=DAPO),
    ("v", "each other"): lambda t: set_rows(t["geometry"], 0.5, metric="cosine", run_a=ONLINE, run_b=DAPO),
    ("v", "accuracy"): lambda t: set_rows(t["accuracy"], -0.01, column="difference_high", run=DAPO),
    ("vi", "cosine"): lambda t: set_rows(t["geometry"], 0.9, metric="cosine", run_a=SFT, run_b=SEED),
    ("vi", "direction"): lambda t: set_rows(t["geometry"], 0.5, metric="top_direction", run_a=SFT, run_b=SEED),
    ("vi", "barrier"): lambda t: set_rows(t["barriers"], "barrier", column="verdict", run_a=SEED, run_b=SFT),
    ("vii", "rotation"): lambda t: set_rows(t["geometry"], 0.99, metric="cosine", run_a=SFT, run_b=FAST),
    ("vii", "norm"): lambda t: set_rows(t["geometry"], 28.0, metric="norm_b", run_a=SFT, run_b=FAST),
    ("viii", "norm"): lambda t: set_rows(t["geometry"], 9.0, metric="norm_b", run_a=SFT, run_b=DPO),
    ("viii", "rank"): lambda t: set_rows(t["geometry"], 9.0, metric="effective_rank_b", run_a=SFT, run_b=DPO),
}


@pytest.mark.parametrize("part", CONTRADICTIONS, ids=" ".join)
def test_the_opposite_contradicts(part):
    tables = paper_tables()
    CONTRADICTIONS[part](tables)
    assert verdict(tables, *part) == "contradicts"
    assert overall(judge(tables))[part[0]] == "contradicts"


def test_a_better_other_method_contradicts_dpo_being_best():
    tables = paper_tables()
    set_rows(tables["accuracy"], 0.99, column="accuracy", run=RFT, benchmark="gsm8k", decoding="greedy")
    assert verdict(tables, "iv", "accuracy") == "contradicts"


UNDECIDED = {
    ("i", "colinear"): lambda t: set_rows(t["geometry"], 0.92, metric="cosine", run_a=RFT, run_b=RIFT),
    ("i", "accuracy"): lambda t: set_rows(t["accuracy"], 0.28, column="minimum_detectable_difference", run=SFT),
    ("ii", "distance"): lambda t: set_rows(t["geometry"], np.nan, metric="cosine", run_a=SFT, run_b=DFT),
    ("iii", "basin"): lambda t: set_rows(t["barriers"], "cannot tell", column="verdict", run_a=SFT, run_b=GRPO),
    ("iv", "barrier"): lambda t: set_rows(
        t["barriers"], "no barrier", column="verdict", run_a=RIFT, loss="boxed_answer"
    ),
    ("iv", "accuracy"): lambda t: set_rows(t["mcnemar"], 0.2, column="p_holm", run_b=DPO, run_a=GRPO),
    ("v", "accuracy"): lambda t: set_rows(t["accuracy"], -0.1, column="difference_low", run=ONLINE),
    ("viii", "norm"): lambda t: set_rows(t["geometry"], np.nan, metric="norm_b", run_a=SFT, run_b=DPO),
}


@pytest.mark.parametrize("part", UNDECIDED, ids=" ".join)
def test_undefined_or_noisy_evidence_cannot_tell(part):
    tables = paper_tables()
    UNDECIDED[part](tables)
    assert verdict(tables, *part) == "cannot tell"
    assert overall(judge(tables))[part[0]] == "cannot tell"


@pytest.mark.parametrize("missing", ["geometry", "layers", "barriers", "cka", "accuracy", "mcnemar"])
def test_a_missing_or_empty_table_is_not_run_and_named(missing):
    for tables in ({k: v for k, v in paper_tables().items() if k != missing}, paper_tables()):
        if missing in tables:
            tables[missing] = tables[missing].iloc[:0]
        table = judge(tables)
        off = table[table.verdict != "agrees"]
        assert len(off) and set(off.verdict) == {"not run"}
        assert off.caveat.str.contains("there is no table of").all()


def test_nothing_run_is_all_not_run():
    table = judge({}, runs=[])
    assert set(table.verdict) == {"not run"} and set(overall(table).values()) == {"not run"}
    assert (table.ours == "").all() and (table.caveat != "").all()


def test_a_method_that_was_not_run_is_named():
    runs = [run for run in RUNS if run.label != "dpo"]
    table = judge(paper_tables(), runs).set_index(["claim", "part"])
    assert (
        table.loc[("viii", "norm"), "verdict"] == "not run"
        and "dpo was not run" in table.loc[("viii", "norm"), "caveat"]
    )
    assert table.loc[("i", "colinear"), "verdict"] == "agrees"


def test_pairs_may_be_named_in_either_order():
    tables = paper_tables()
    swapped = {"norm_a": "norm_b", "norm_b": "norm_a"}
    swapped |= {"effective_rank_a": "effective_rank_b", "effective_rank_b": "effective_rank_a"}
    for name in ("geometry", "layers"):
        tables[name] = tables[name].rename(columns={"run_a": "run_b", "run_b": "run_a"}).replace({"metric": swapped})
    for name in ("barriers", "cka", "mcnemar"):
        tables[name] = tables[name].rename(columns={"run_a": "run_b", "run_b": "run_a"})
    assert set(judge(tables).verdict) == {"agrees"}


def test_another_scale_is_plain_in_every_row_and_at_the_head_of_the_section():
    student = "a 0.4M-parameter model trained here"
    table = judge(paper_tables(), student=student)
    assert table.caveat.str.contains(f"Scale differs: the student is {student}", regex=False).all()
    section = claims_section({"claims": table}, {"student": student, "paper_student": PAPER})
    assert section.index("Scale differs") < section.index("| claim |")
    assert section.count("**agrees**") == len(table)
    widths = {line.replace("\\|", "").count("|") for line in section.splitlines() if line.startswith("|")}
    assert widths == {7}
    assert "Scale differs" not in claims_section({"claims": table}, {"student": PAPER, "paper_student": PAPER})


def test_the_table_is_written_from_files_with_the_same_bytes(tmp_path):
    paths = {}
    for name, table in paper_tables().items():
        paths[name] = tmp_path / f"{name}.csv"
        table.to_csv(paths[name], index=False)
    for attempt in ("one.csv", "two.csv"):
        tabulate_claims(PAPER, RUNS, paths, REFERENCE_FILE, tmp_path / attempt)
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()
    assert set(pd.read_csv(tmp_path / "one.csv").verdict) == {"agrees"}
