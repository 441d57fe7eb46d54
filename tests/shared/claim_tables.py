"""Made-up tables of an experiment with two seeds whose numbers are the paper's, for tests of the claims."""

from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from lossgeometry.claims.evidence import Evidence
from lossgeometry.claims.tabulation import judge_claims
from lossgeometry.evaluation.differences import differences_table
from lossgeometry.evaluation.outcomes import Outcomes
from lossgeometry.evaluation.questions import questions
from lossgeometry.experiment.runs import Run

REFERENCE_FILE = Path(__file__).parents[2] / "resources" / "paper_reference.yaml"
REFERENCE = yaml.safe_load(REFERENCE_FILE.read_text(encoding="utf-8"))
PAPER = REFERENCE["student"]
LABELS = ["sft", "rft", "dft", "rift", "offline_grpo", "dpo", "online_grpo", "online_dapo"]
SEEDS = (42, 123)


def run_id(label, seed=42, rate="1e-05"):
    return f"{label}.lr{rate}.s{seed}"


RUNS = [
    *(Run(run_id(label, seed), label, label, 1e-5, seed, seed) for seed in SEEDS for label in LABELS),
    *(Run(run_id(label, 42, "0.0001"), label, label, 1e-4, 42, 42, default=False) for label in ("sft", "dpo")),
    Run("external.mine", "mine", "", folder="somewhere", origin="given"),
]
COSINES = {
    ("sft", "rft"): 0.977,
    ("sft", "rift"): 0.967,
    ("rft", "rift"): 0.969,
    ("sft", "offline_grpo"): 0.74,
    ("sft", "dft"): 0.572,
    ("rift", "dft"): 0.536,
    ("sft", "dpo"): 0.06,
    ("sft", "online_grpo"): 0.025,
    ("rft", "online_grpo"): 0.024,
    ("dpo", "online_dapo"): -0.01,
    ("online_grpo", "online_dapo"): 0.03,
}
NORMS = {"sft": 2.84, "rft": 2.82, "rift": 3.04, "dpo": 0.22}
RANKS = {"dpo": 24.5, "offline_grpo": 14.8}
ACCURACIES = dict.fromkeys(["sft", "rft", "dft", "rift", "offline_grpo"], 0.88) | {"dpo": 0.94, "base": 0.94}
ACCURACIES |= dict.fromkeys(["online_grpo", "online_dapo"], 0.94)


def compared():
    """Pairs of run ids and their cosines."""
    found = {(run_id(a, seed), run_id(b, seed)): value for seed in SEEDS for (a, b), value in COSINES.items()}
    found |= {(run_id(label, 42), run_id(label, 123)): 0.2 for label in ("sft", "rft")}
    found |= {(run_id(label), run_id(label, 42, "0.0001")): 0.55 for label in ("sft", "dpo")}
    found[run_id("sft", 42, "0.0001"), run_id("dpo", 42, "0.0001")] = 0.06
    found[run_id("sft"), "external.mine"] = 0.99
    return found


def geometry_table():
    rows = []
    for (a, b), cosine in compared().items():
        rows += [(a, b, "cosine", "none", None, cosine, 0.0, 0.01)]
        rows += [(a, b, "top_direction", "output", None, 0.99, 0.02, 0.01)]
        rows += [(a, b, "orthogonal_fraction", "none", None, 0.67, 1.0, 0.01)]
        for side, run in zip("ab", (a, b), strict=True):
            label, fast = run.partition(".")[0], "0.0001" in run
            norm = NORMS.get(label, 2.8) * (3 if fast else 1)
            rows += [(a, b, f"norm_{side}", "none", None, norm, np.nan, np.nan)]
            rows += [(a, b, f"effective_rank_{side}", "none", None, RANKS.get(label, 16.0), np.nan, np.nan)]
    table = pd.DataFrame(rows, columns=["run_a", "run_b", "metric", "side", "k", "value", "null_mean", "null_sd"])
    # A projection's value must never be taken for the global one.
    table = table.assign(control=np.nan, replicate=np.nan, replicate_of="", reshuffle_reason="")
    table["reshuffle"] = "beyond a reshuffle"
    part = table.assign(scope="projection", projection="q", value=-5.0)
    return pd.concat([part, table.assign(scope="global", projection=None)], ignore_index=True)


def layers_table():
    shares = np.concatenate([np.full(18, 0.5), np.full(10, 0.6), np.full(8, 0.82)])
    rows = []
    for seed in SEEDS:
        pair = (run_id("sft", seed), run_id("offline_grpo", seed))
        rows += [(*pair, layer, "orthogonal_fraction", "none", share) for layer, share in enumerate(shares)]
        rows += [(*pair, layer, "cosine", "none", 0.0) for layer in range(36)]
    return pd.DataFrame(rows, columns=["run_a", "run_b", "layer", "metric", "side", "value"])


def barriers_table():
    rows = [(run_id(label, 123), run_id(label), "no barrier", 0.004) for label in ("sft", "rft")]
    for seed in SEEDS:
        rows.append((run_id("sft", seed), run_id("offline_grpo", seed), "no barrier", 0.0))
        rows.append((run_id("rift", seed), run_id("dpo", seed), "barrier", 0.83))
    table = pd.DataFrame(rows, columns=["run_a", "run_b", "verdict", "difference"])
    table = table.assign(difference_low=table.difference - 0.02, difference_high=table.difference + 0.02, reason="")
    losses = [table.assign(loss=loss) for loss in ("reference_solution", "boxed_answer")]
    return pd.concat(losses, ignore_index=True)


def cka_table():
    rows = []
    for seed in SEEDS:
        dpo = run_id("dpo", seed)
        for a in (run_id("offline_grpo", seed), run_id("dft", seed)):
            curve = np.concatenate([np.full(25, 0.93), np.linspace(0.9, 0.45, 11)])
            rows += [
                (a, dpo, layer, "debiased", value, value - 0.02, value + 0.02) for layer, value in enumerate(curve)
            ]
            rows += [(dpo, a, layer, "biased_prompts", 1.0, 1.0, 1.0) for layer in range(36)]
    return pd.DataFrame(rows, columns=["run_a", "run_b", "layer", "estimator", "value", "low", "high"])


def behaviour_table():
    rows = []
    for run in RUNS:
        small = 0.2 if run.label == "dpo" else 1.0
        rows += [(run.id, "base", "all", "kl_base_run", 0.01 * small), (run.id, "base", "all", "kl_run_base", 9.0)]
        rows += [(run.id, "own", "all", "kl_base_run", 9.0), (run.id, "base", "wrong answers", "kl_base_run", 9.0)]
    return pd.DataFrame(rows, columns=["run", "text", "part", "measure", "value"])


def matched_table():
    """Cosines where the shorter run of a pair ends, and one that must never be read for it."""
    pairs = [(a, b) for (a, b) in COSINES if b in ("dpo", "online_grpo", "online_dapo") and a != "online_grpo"]
    rows = [
        (run_id(a, seed), run_id(b, seed), at, at != "step", COSINES[a, b], 0.01)
        for seed in SEEDS
        for a, b in pairs
        for at in ("step", "norm", "KL")
    ]
    table = pd.DataFrame(rows, columns=["run_a", "run_b", "at", "end", "cosine", "cosine_sd"])
    return pd.concat([table, table.assign(end=False, cosine=0.99)], ignore_index=True)


def replicates_table():
    rows = [
        (kind, a, b, 0.1, 0.0, 0.2, "apart beyond noise")
        for kind in ("order", "half")
        for a in ("sft", "rft", "dpo")
        for b in ("dpo", "online_grpo", "online_dapo")
        if a != b
    ]
    return pd.DataFrame(rows, columns=["kind", "method_a", "method_b", "corrected", "low", "high", "verdict"])


def outcomes(generator, accuracy, samples, problems=1319):
    chance = np.clip(np.linspace(accuracy - 0.06, accuracy + 0.06, problems), 0, 1)
    return with_answers(generator.random((problems, samples)) < chance[:, None])


def with_answers(correct):
    """Outcomes of which nothing but right or wrong is read."""
    none = np.zeros_like(correct)
    names = tuple(f"p{number:04d}" for number in range(len(correct)))
    return Outcomes(names, correct, none, none, none, none.astype(np.int64))


def answers(accuracies=ACCURACIES, runs=RUNS):
    """Answers to gsm8k; the first benchmark is another one, and greedy answers exist: neither may be read."""
    generator, graded = np.random.default_rng(0), {}
    for run, label in [("base", "base"), *((run.id, run.label) for run in runs if run.method)]:
        found = outcomes(generator, accuracies.get(run, accuracies.get(label)), 16)
        graded[run, "aime2026", "sampled"] = outcomes(generator, 0.1, 2, 30)
        graded[run, "gsm8k", "greedy"] = outcomes(generator, 0.5, 1, 40)
        graded[run, "gsm8k", "sampled"] = found
    return graded


def judged(graded, runs=RUNS, pairs=(), margin=0.02):
    return differences_table(graded, questions(runs, pairs), margin)


DIFFERENCES = judged(answers())


def paper_tables():
    return {
        "geometry": geometry_table(),
        "layers": layers_table(),
        "barriers": barriers_table(),
        "cka": cka_table(),
        "behaviour": behaviour_table(),
        "differences": DIFFERENCES.copy(),
        "matched": matched_table(),
        "replicates": replicates_table(),
    }


def judge(tables, runs=RUNS, student=PAPER):
    return judge_claims(REFERENCE, student, Evidence(tables, runs))


def row_of(tables, claim, part, rates="own", runs=RUNS):
    entries = [entry for entry in REFERENCE["claims"] if (entry["claim"], entry["part"]) == (claim, part)]
    table = judge_claims(REFERENCE | {"claims": entries}, PAPER, Evidence(tables, runs))
    return table.set_index("learning_rates").loc[rates]


def set_rows(table, value, column="value", **where):
    rows = np.logical_and.reduce([table[name] == wanted for name, wanted in where.items()])
    assert rows.any()
    table.loc[rows, column] = value


def both(table, a, b, value, column="value", **where):
    """Set the rows of a pair of labels in both seeds."""
    for seed in SEEDS:
        set_rows(table, value, column, run_a=run_id(a, seed), run_b=run_id(b, seed), **where)


def undecided_barrier(table, a, b):
    both(table, a, b, "cannot tell", "verdict")
    both(table, a, b, "the interval holds the smallest effect", "reason")


def answered(accuracies):
    return lambda tables: tables.update(differences=judged(answers(ACCURACIES | accuracies)))
