"""The whole experiment, from nothing: the artifact contract, determinism, and that nothing is done twice."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from safetensors.numpy import load_file
from whole_experiment import copy_workflow, snakemake

from lossgeometry.experiment.loading import load_config
from lossgeometry.files.jsonl import read_lines
from lossgeometry.report.data_dictionary import tables
from lossgeometry.updates.loading import load

CONFIG = load_config(yaml.safe_load(Path(__file__).with_name("config.yaml").read_text()))
RUNS = [run.id for run in CONFIG.trained]
PAIRS = [f"{a}--{b}" for a, b in CONFIG.pairs]
SFT, DPO = "sft.lr0.001.s1", "dpo.lr0.0001.s1"

CONTRACT = [
    "config.yaml",
    "summary.md",
    "models/student/model.safetensors",
    "models/teacher/model.safetensors",
    "prompts/train.jsonl",
    "prompts/reachable.jsonl",
    "rollouts/rollouts.parquet",
    *[f"adapters/{run}/{name}" for run in RUNS for name in ("adapter_model.safetensors", "adapter_config.json")],
    *[f"adapters/{run}/{name}" for run in RUNS for name in ("training.csv", "run.json")],
    *[f"deltas/{run}.safetensors" for run in RUNS],
    *[f"pairs/{pair}/geometry.parquet" for pair in PAIRS],
    f"pairs/{SFT}--{DPO}/connectivity.csv",
    f"pairs/{SFT}--{DPO}/cka.csv",
    *[f"evaluation/{run}/reachable.jsonl" for run in CONFIG.evaluated],
    *[f"tables/{name}.csv" for name in ("runs", "geometry", "layers", "connectivity", "cka", "accuracy", "mcnemar")],
    "tables/modules.parquet",
    *[f"audit/{point}.safetensors" for point in ("initialisation", SFT)],
    *[
        f"adapters/{SFT}.t{step}/{name}"
        for step in (2, 4)
        for name in ("adapter_model.safetensors", "adapter_config.json")
    ],
    *[f"tables/{name}.csv" for name in ("trajectories", "step_pairs", "matched", "replicates", "components")],
    *[f"tables/{name}.csv" for name in ("audit", "noise", "regime", "predictions", "agreement")],
]


def results(experiment: Path) -> Path:
    return experiment / "results" / "integration"


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("path", CONTRACT)
def test_the_contract_is_kept(experiment, path):
    assert (results(experiment) / path).stat().st_size > 0


def test_rollouts_have_the_promised_columns_and_every_group_is_whole(experiment):
    rollouts = pd.read_parquet(results(experiment) / "rollouts/rollouts.parquet")
    columns = ["prompt_id", "sample", "completion", "n_tokens", "finish_reason", "extracted", "reward", "verdict"]
    assert list(rollouts.columns) == columns
    assert (rollouts.groupby("prompt_id").size() == CONFIG.rollouts.samples_per_prompt).all()
    assert ((rollouts.reward == 1) == (rollouts.verdict == "correct")).all()


def test_the_three_parts_of_the_problems_are_disjoint(experiment):
    texts = [
        {row["problem"] for row in read_lines(results(experiment) / f"prompts/{name}.jsonl")}
        for name in ("train", "heldout", "reachable")
    ]
    assert not texts[0] & texts[1] and not texts[0] & texts[2] and not texts[1] & texts[2]


def test_every_method_starts_from_the_initialisation_of_its_seed(experiment):
    for run in CONFIG.trained:
        initial = load_file(results(experiment) / f"initialisations/s{run.init_seed}/adapter_model.safetensors")
        trained = load_file(results(experiment) / f"adapters/{run.id}/adapter_model.safetensors")
        assert trained.keys() == initial.keys()
        for name in initial:
            moved = np.abs(trained[name] - initial[name]).max()
            bound = CONFIG.training.steps * run.learning_rate * 1.1
            assert moved <= bound, f"{name} moved by {moved}, more than AdamW can in these steps: another start"
            assert ".lora_A." in name or moved > 0


def test_evaluation_lines_carry_what_the_contract_says(experiment):
    rows = list(read_lines(results(experiment) / f"evaluation/{SFT}/reachable.jsonl"))
    assert len(rows) == 24 * 2
    wanted = {
        "problem_id",
        "sample",
        "seed",
        "completion",
        "finish_reason",
        "n_tokens",
        "extracted",
        "correct",
        "verdict",
    }
    assert wanted <= rows[0].keys()
    base = list(read_lines(results(experiment) / "evaluation/base/reachable.jsonl"))
    assert [row["seed"] for row in rows] == [row["seed"] for row in base]


def test_the_untrained_adapter_answers_as_the_base_and_random_directions_keep_the_singular_values(experiment):
    untrained, base = (
        [
            (row["problem_id"], row["completion"])
            for row in read_lines(results(experiment) / f"evaluation/{run}/reachable.jsonl")
        ]
        for run in ("control.untrained", "base")
    )
    assert untrained == base
    drawn, source = (load(results(experiment) / f"adapters/{run}") for run in ("control.random", SFT))
    for module in source.modules:
        assert np.allclose(drawn.svd(module).s, source.svd(module).s, rtol=1e-4)
    assert abs(drawn.cosine(source)) < 0.2


def test_training_curves_and_provenance(experiment):
    curve = pd.read_csv(results(experiment) / f"adapters/{DPO}/training.csv")
    assert list(curve.step) == list(range(1, 7))
    assert {"tokens", "epoch", "loss", "log_prob_chosen", "log_prob_rejected", "margin"} <= set(curve.columns)
    assert curve.loss[0] == pytest.approx(np.log(2), abs=1e-6)  # the policy is the reference at the start
    record = json.loads((results(experiment) / f"adapters/{DPO}/run.json").read_text())
    assert record["config"]["method"] == "dpo" and record["inputs"] and record["versions"]["torch"]


def test_a_finished_experiment_has_nothing_to_do(experiment):
    result = snakemake(experiment, "--dry-run", "all")
    assert "Nothing to be done" in result.stdout + result.stderr


def test_no_job_takes_more_memory_than_the_makefile_counts_on(experiment):
    files = list((results(experiment) / "benchmarks").rglob("*.tsv"))
    peaks = {file.stem: pd.to_numeric(pd.read_csv(file, sep="\t").max_rss, errors="coerce").max() for file in files}
    assert len(peaks) > 20 and max(peaks.values()) < 1800, max(peaks, key=peaks.get)


def test_no_job_left_a_warning_that_a_user_would_worry_about(experiment):
    for log in (results(experiment) / "logs").rglob("*.log"):
        text = log.read_text(errors="replace").lower()
        assert "warning" not in text and "traceback" not in text, f"{log}:\n{text}"


def test_the_same_configuration_in_another_folder_gives_the_same_bytes(experiment, tmp_path):
    again = copy_workflow(tmp_path / "elsewhere")
    targets = [
        f"results/integration/{name}"
        for name in (
            f"adapters/{SFT}/adapter_model.safetensors",
            f"adapters/{DPO}/adapter_model.safetensors",
            "rows/sft.lr0.01.s1/geometry.zip",
            f"evaluation/{SFT}/reachable.jsonl",
            "evaluation/control.random/reachable.jsonl",
        )
    ]
    result = snakemake(again, *targets)
    assert result.returncode == 0, result.stderr[-6000:]
    beside = [
        *[f"results/integration/adapters/{SFT}/{name}" for name in ("adapter_config.json", "training.csv", "run.json")],
        f"results/integration/pairs/{SFT}--sft.lr0.01.s1/geometry.parquet",
    ]
    for target in [*targets, *beside, "results/integration/rollouts/rollouts.parquet"]:
        assert digest(again / target) == digest(experiment / target), target


def test_every_column_of_every_table_is_described_and_none_is_missing(experiment):
    described = {table.file: [column.name for column in table.columns] for table in tables() if table.asked(CONFIG)}
    written = {path.name: path for path in (results(experiment) / "tables").iterdir() if path.suffix != ".json"}
    assert set(written) == set(described)
    for name, path in written.items():
        frame = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
        assert list(frame.columns) == described[name], name
