"""Made-up results of an experiment of any size, in the tables' columns, for tests of the page and the figures."""

import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from lossgeometry.findings.tabulation import gather, read_tables, write_findings
from lossgeometry.geometry.chance import verdicts
from lossgeometry.settings.tasks import Page
from lossgeometry.stages import STAGES

METHODS = {
    "sft": ("SFT", "−Σₜ log pₜ over all rollouts"),
    "rft": ("RFT", "−Σₜ log pₜ over correct rollouts"),
    "rift": ("RIFT", "−r⁺ Σₜ log pₜ on correct rollouts, −r⁻ Σₜ pₜ on wrong ones"),
    "dft": ("DFT", "−Σₜ sg(pₜ) log pₜ over all rollouts"),
    "offline_grpo": ("Offline GRPO", "−Aᵢ Σₜ log pₜ"),
    "dpo": ("DPO", "−log σ(β[(log π_w − log ref_w) − (log π_l − log ref_l)])"),
    "online_grpo": ("Online GRPO", "clipped ratio"),
    "online_dapo": ("Online DAPO", "clipped ratio, token level"),
    "ipo": ("IPO", "(h − 1/2β)²"),
    "simpo": ("SimPO", "−log σ(β Δ − γ)"),
}
SIMILAR = {"sft": 1.0, "rft": 0.96, "rift": 0.95, "dft": 0.6, "offline_grpo": 0.7, "dpo": 0.06}
HOSTILE = (
    '<script>window.hacked=1</script><img src=x onerror="window.hacked=1"></script><script>window.hacked=1</script>'
    "<!--<script>\u2028 ${alert(1)} {{constructor.constructor('window.hacked=1')()}} javascript:alert(1)"
)
PROJECTIONS = ("k", "o", "q", "v")


def write_results(
    folder: Path,
    methods: int = 6,
    seeds: int = 1,
    rates: int = 0,
    layers: int = 4,
    evaluation=True,
    external=0,
    function=True,
) -> dict:
    """Write the tables below a folder and return the keyword arguments of `bundle.gather` for them."""
    rng = np.random.default_rng(0)
    tables = folder / "tables"
    tables.mkdir(parents=True)
    labels = list(METHODS)[:methods]
    runs = [(f"{label}.lr0.001.s{42 + seed}", label, 1e-3, 42 + seed) for label in labels for seed in range(seeds)]
    runs += [(f"{label}.lr{rate:g}.s42", label, rate, 42) for label in labels for rate in (1e-2, 1e-4)[:rates]]
    runs += [(f"external.mine{index}", f"mine{index}", 0.0, 0) for index in range(external)]
    pairs = [
        (a, b)
        for a, b in combinations(runs, 2)
        if (a[1] == b[1] and (a[2] == b[2] or a[3] == b[3])) or (a[2:] == b[2:]) or external
    ]
    frame = pd.DataFrame(runs, columns=["run", "method", "learning_rate", "seed"])
    frame["origin"] = np.where(frame.run.str.startswith("external"), "given", "trained")
    frame["control"] = None
    trained = [run for run in runs if not run[0].startswith("external")]
    if trained:
        frame = frame.assign(
            steps=128,
            tokens=300_000,
            epochs=1.5,
            loss_first=0.1,
            loss_last=0.05,
            rows_left_out=3,
            left_out_because="long: 3",
        )
    frame.to_csv(tables / "runs.csv", index=False)
    found = {"runs": tables / "runs.csv"}
    training = []
    for run, *_ in trained:
        path = folder / "adapters" / run / "training.csv"
        path.parent.mkdir(parents=True)
        steps = np.arange(1, 129)
        pd.DataFrame({"step": steps, "loss": 0.1 * np.exp(-steps / 60), "grad_norm": 0.1 + 0 * steps}).to_csv(
            path, index=False
        )
        training.append(path)
    if pairs:
        _geometry(tables, pairs, layers, rng, found)
    plain = [(a[0], b[0]) for a, b in pairs]
    if function and plain:
        _function_space(tables, plain, layers, rng, found)
    answers = prompts = ()
    if evaluation:
        answers, prompts = _evaluation(folder, [run[0] for run in runs], plain, rng, found)
    rollouts = None
    if trained:
        pd.DataFrame({"prompts": [512], "rollouts": [4096], "correct": [0.83], "groups_mixed": [0.31]}).to_csv(
            tables / "rollouts.csv", index=False
        )
        found["rollouts"] = tables / "rollouts.csv"
        rollouts = folder / "rollouts.parquet"
        columns = {
            "prompt_id": ["t0", "t1", "t1"],
            "completion": [HOSTILE, "ok", "no"],
            "verdict": ["correct", "wrong", HOSTILE],
        }
        pd.DataFrame({**columns, "n_tokens": 5, "extracted": [HOSTILE, None, "3"]}).to_parquet(rollouts)
    page = {
        "experiment": "made-up",
        "reference": "sft",
        "charts": [stage.charts for stage in STAGES if stage.charts],
        "tables": {
            table.name: table.on_page
            for stage in STAGES
            for table in stage.tables
            if table.on_page != () and table.name in found
        },
        "facts": {"student": "tiny"},
        "methods": {
            label: {"title": METHODS[label][0], "objective": METHODS[label][1], "citation": "arXiv:2606.23740"}
            for label in labels
        },
    }
    statements = [stage.statements for stage in STAGES if stage.statements]
    named = {label: METHODS[label][0] for label in labels}
    findings = folder / "tables/findings.json"
    write_findings(gather(read_tables(found), named, "sft", statements), findings, findings.with_suffix(".csv"))
    return {
        "findings": findings,
        "page": Page.from_told(page),
        "tables": found,
        "training": training,
        "rollouts": rollouts,
        "answers": answers,
        "prompts": prompts,
    }


def _geometry(tables: Path, pairs, layers: int, rng, found) -> None:
    whole, by_layer, modules = [], [], []
    places = (
        [("global", -1, "")]
        + [("projection", -1, p) for p in PROJECTIONS]
        + [("layer", layer, "") for layer in range(layers)]
    )
    places += [("module", layer, p) for layer in range(layers) for p in PROJECTIONS]
    for a, b in pairs:
        mean = SIMILAR.get(a[1], 0.03) * SIMILAR.get(b[1], 0.03) if a[1] != b[1] else 0.4
        for scope, layer, projection in places:
            close = float(np.clip(mean + 0.03 * rng.normal(), -1, 1))
            rows = [("cosine", "none", None, close, 0.0, 0.02)]
            for side, tilt in (("output", 0.0), ("input", 4.0)):
                rows += [
                    ("gram_alignment", side, None, abs(close) ** 0.5, 0.05, 0.02),
                    ("top_direction", side, 1, abs(close) ** 0.4, 0.08, 0.06),
                ]
                rows += [
                    ("angle_first", side, 10, np.nan, np.nan, np.nan),
                    ("angle_first", side, 8, tilt + float(np.degrees(np.arccos(abs(close)))) / 2, 60.0, 3.0),
                ]
                rows += [
                    ("angle_last", side, 10, np.nan, np.nan, np.nan),
                    ("angle_last", side, 8, tilt + 80.0 - 20 * close, 89.0, 0.3),
                ]
            rows += [("orthogonal_fraction", "none", None, float(np.sqrt(1 - close**2)), 0.99, 0.002)]
            for end, run in (("a", a), ("b", b)):
                rows += [
                    (f"norm_{end}", "none", None, (0.3 if run[1] == "dpo" else 3.0) + 0.1 * layer, np.nan, np.nan),
                    (f"effective_rank_{end}", "none", None, 5.0 + 0.2 * layer, np.nan, np.nan),
                    (f"stable_rank_{end}", "none", None, 2.0 + 0.1 * layer, np.nan, np.nan),
                ]
            head = {"run_a": a[0], "run_b": b[0], "scope": scope, "layer": layer, "projection": projection}
            for metric, side, k, value, null_mean, null_sd in rows:
                row = {
                    **head,
                    "metric": metric,
                    "side": side,
                    "k": k,
                    "value": value,
                    "null_mean": null_mean,
                    "null_sd": null_sd,
                    "control": np.nan,
                    "replicate": np.nan,
                    "reshuffle_reason": "",
                    "note": "",
                    "verdict": str(verdicts(value, null_mean, null_sd)),
                }
                if scope == "global":
                    row |= {"depth_low": value - 0.05, "depth_high": value + 0.05, "replicate_of": "", "reshuffle": ""}
                {"layer": by_layer, "module": modules}.get(scope, whole).append(row)
    pd.DataFrame(whole).drop(columns="layer").to_csv(tables / "geometry.csv", index=False)
    pd.DataFrame(by_layer).drop(columns=["scope", "projection"]).to_csv(tables / "layers.csv", index=False)
    pd.DataFrame(modules).to_parquet(tables / "modules.parquet")
    found |= {
        "geometry": tables / "geometry.csv",
        "layers": tables / "layers.csv",
        "modules": tables / "modules.parquet",
    }


def _function_space(tables: Path, pairs, layers: int, rng, found) -> None:
    curves, barriers, similarity = [], [], []
    for index, (a, b) in enumerate(pairs[:8]):
        for loss, start, height in (("reference_solution", 0.1, 0.005), ("boxed_answer", 0.4, 0.01)):
            for t in np.linspace(0, 1, 11):
                value = start + 4 * height * index * t * (1 - t)
                curves.append((a, b, loss, round(float(t), 2), value, 0.002, 3.0))
            high = height * index
            judged = "barrier" if high > 0.03 else "no barrier"
            barriers.append(
                (a, b, loss, start, start, 0.2, 0.5, high, 0.004, high, high - 0.004, high + 0.004, 0.03, judged)
            )
        for layer in range(layers):
            for estimator, slope in (("debiased", 0.05), ("relative_residual", 0.1)):
                value = float(1 - slope * index * layer / layers)
                similarity.append((a, b, layer, estimator, value, value - 0.01, min(1.0, value + 0.01), ""))
    names = ["run_a", "run_b", "loss"]
    pd.DataFrame(curves, columns=[*names, "t", "value", "se", "norm"]).to_csv(tables / "connectivity.csv", index=False)
    columns = [*names, "loss_a", "loss_b", "loss_base", "t", "excess", "control", "difference"]
    columns += ["difference_low", "difference_high", "smallest_effect", "verdict"]
    pd.DataFrame(barriers, columns=columns).to_csv(tables / "barriers.csv", index=False)
    columns = ["run_a", "run_b", "layer", "estimator", "value", "low", "high", "note"]
    pd.DataFrame(similarity, columns=columns).to_csv(tables / "cka.csv", index=False)
    found |= {name: tables / f"{name}.csv" for name in ("connectivity", "barriers", "cka")}


def _evaluation(folder: Path, runs, pairs, rng, found):
    rows, tests, answers, differences = [], [], [], []
    for benchmark in ("reachable", "hard"):
        for run in ["base", *runs]:
            for decoding in ("greedy", "sampled"):
                value = float(rng.uniform(0.6, 0.8))
                rows.append((run, benchmark, decoding, 500, 1, value, value - 0.03, value + 0.03, 0.01, 0.0, 0.05))
        for place, (a, b) in enumerate([("base", run) for run in runs] + list(pairs)):
            verdict = ("equal", "different", "cannot tell")[place % 3]
            for decoding in ("sampled", "greedy"):
                question = "does a loss change the base's accuracy" if a == "base" else "do the losses differ"
                told = (0.01, -0.01, 0.03, 0.02, 0.03, verdict, "made up", question, decoding == "sampled", 500)
                differences.append((a, b, benchmark, decoding, *told))
                verdict = "cannot tell"
            told = (
                0.01,
                -0.01,
                0.03,
                0.02,
                0.03,
                "of a claim's own family",
                "made up",
                "the paper's claim i",
                False,
                500,
            )
            differences.append((a, b, benchmark, "greedy", *told))
        tests += [(a, b, benchmark, 500, 10, 12, 0.8, 1.0) for a, b in [("base", run) for run in runs] + list(pairs)]
    columns = [
        "run",
        "benchmark",
        "decoding",
        "problems",
        "samples",
        "accuracy",
        "low",
        "high",
        "truncation_rate",
        "no_answer_rate",
        "minimum_detectable_difference",
    ]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "tables/accuracy.csv", index=False)
    columns = ["run_a", "run_b", "benchmark", "problems", "b", "c", "p", "p_holm"]
    pd.DataFrame(tests, columns=columns).to_csv(folder / "tables/mcnemar.csv", index=False)
    columns = ["run_a", "run_b", "benchmark", "decoding", "difference", "low", "high", "margin", "smallest_difference"]
    columns += ["verdict", "reason", "question", "most_precise", "problems"]
    pd.DataFrame(differences, columns=columns).to_csv(folder / "tables/differences.csv", index=False)
    for run in ["base", *runs]:
        path = folder / "evaluation" / run / "hard.jsonl"
        path.parent.mkdir(parents=True)
        lines = [
            {"problem_id": "h0", "completion": HOSTILE, "verdict": "wrong", "n_tokens": 9, "extracted": HOSTILE},
            {"problem_id": "h1", "completion": "\\boxed{3}", "verdict": "correct", "n_tokens": 9, "extracted": "3"},
            {"problem_id": "h2", "completion": "\\boxed{4}", "n_tokens": 9, "extracted": "4"}
            | {"verdict": "wrong" if run == "base" else "correct"},
        ]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        answers.append(path)
    path = folder / "prompts/hard.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"id": "h0", "problem": HOSTILE, "answer": HOSTILE}) + "\n")
    found |= {name: folder / f"tables/{name}.csv" for name in ("accuracy", "mcnemar", "differences")}
    return answers, [path]
