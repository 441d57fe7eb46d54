"""A rehearsal takes real steps on the longest rows, and plans go by what it measured."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from training_tools import PROBLEMS, build_world
from transformers import AutoTokenizer

from lossgeometry.costs import GIB, Shape
from lossgeometry.experiment.loading import load_config
from lossgeometry.generation.templating import completion_token_ids, prompt_token_ids
from lossgeometry.gpus import Gpu
from lossgeometry.planning.budget import budget, format_budget
from lossgeometry.planning.estimates import REFERENCE_DEVICE, Work
from lossgeometry.planning.preflight import MISSING, READY, check_gpus
from lossgeometry.planning.rehearsed import Rehearsed, read_rehearsal, rehearsed_seconds, write_rehearsal
from lossgeometry.rehearsal.measurement import longest_rows, measure
from lossgeometry.rehearsal.rehearse import format_rehearsal, rehearse, rehearsed_runs, short_task
from lossgeometry.settings.tasks import Reward, TrainedAdapter
from lossgeometry.settings.training import Training

ROOT = Path(__file__).resolve().parents[3]
QWEN3_4B = Shape(36, 2560, 9728, 4096, 1024, 151936, True, True)
STEP = Rehearsed(seconds=10.0, tokens=1e5, peak_bytes=60.0 * GIB, mfu=0.4, mixed_share=math.nan, mismatch=math.nan)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return build_world(tmp_path_factory.mktemp("rehearsal"))


@pytest.fixture(scope="module")
def paper():
    return load_config(yaml.safe_load((ROOT / "config/paper.yaml").read_text(encoding="utf-8")))


def test_rows_are_as_long_as_the_configuration_admits(world):
    tokenizer = AutoTokenizer.from_pretrained(world.student)
    rows = longest_rows(tokenizer, PROBLEMS, "", 120, 6)
    assert rows.groupby("prompt_id").reward.apply(lambda rewards: {0.0, 1.0} == set(rewards)).all()
    assert len(rows) == 12 and not rows.duplicated(["prompt_id", "sample"]).any()
    problems = {row["id"]: row["problem"] for row in PROBLEMS}
    phrase = len(tokenizer(" 7 + 5 = 12 and")["input_ids"])
    for row in rows.itertuples():
        length = len(prompt_token_ids(tokenizer, problems[row.prompt_id], ""))
        length += len(completion_token_ids(tokenizer, row.completion, True))
        assert 120 - phrase - 1 <= length <= 120


@pytest.mark.parametrize("method", ["sft", "dpo", "online_dapo"])
def test_a_step_is_measured_with_all_its_rows(world, method):
    options = {"generations": 4, "max_new_tokens": 8} if method == "online_dapo" else {}
    training = Training(steps=2, batch_size=8, micro_batch_size=4, max_length=120)
    task = TrainedAdapter(
        run=method,
        method=method,
        learning_rate=1e-3,
        init_seed=1,
        order_seed=1,
        options=options,
        training=training.model_dump(),
        prompt_suffix="",
        reward=Reward(deadline_seconds=5.0),
    )
    found = measure(task, {}, world.student, world.initialisation, world.prompts)
    assert not found.seconds <= 0 and found.peak_bytes > 1e7 and not found.failed
    if method != "online_dapo":
        assert 0.85 < found.tokens / (8 * 120 * (2 if method == "dpo" else 1)) <= 1
    assert math.isfinite(found.mixed_share) == (method == "online_dapo")


def test_every_method_is_rehearsed_with_what_its_job_is_told(paper):
    runs = rehearsed_runs(paper)
    assert [run.label for run in runs] == list(paper.methods)
    for run in runs:
        told, speed = short_task(paper, run)
        task = TrainedAdapter.from_told(told)
        assert task.training["steps"] in (1, 2) and task.training["max_length"] == 4608
        assert speed["tokens_per_micro_batch"] == 9216 and speed["processes"] == 1 and "snapshots" not in speed
    two = paper.model_copy(update={"training": paper.training.model_copy(update={"processes": 2})})
    told, _ = short_task(two, runs[0])
    assert told["training"]["batch_size"] == 16, "a process takes its share of the batch"


def test_plans_and_preflight_go_by_what_was_measured(paper, tmp_path):
    measured = dict.fromkeys(paper.methods, STEP)
    write_rehearsal(tmp_path, "NVIDIA H100", measured | {"dpo": replace(STEP, failed="out of memory")})
    assert read_rehearsal(tmp_path).keys() == paper.methods.keys() - {"dpo"}
    seconds = rehearsed_seconds(paper, tmp_path)
    assert seconds["online_grpo.lr5e-06.s42"] == pytest.approx(600 * 10 + 90)
    assert 90 < seconds["sft.lr5e-06.s42"] < 1000 * 10 + 90, "its rows are shorter than those of the rehearsal"
    assert "dpo.lr5e-07.s42" not in seconds
    work = Work(QWEN3_4B, lambda name: 100)
    shown = {}
    for name, known in (("formula", {}), ("partly measured", read_rehearsal(tmp_path)), ("measured", measured)):
        costs = budget(paper, work._replace(rehearsed=known))
        (training,) = [cost for cost in costs if cost.name == "training"]
        assert training.source == name and f"| {name} |" in format_budget(costs, REFERENCE_DEVICE)
        shown[name] = training.gpu_hours
    assert len(set(shown.values())) == 3
    for memory, state in ((80, READY), (40, MISSING)):
        assert [*check_gpus(paper, QWEN3_4B, [Gpu("H100", memory * GIB)], measured)][-1].state == state


def test_what_is_not_known_is_never_shown_as_zero(paper):
    unknown = replace(STEP, mfu=math.nan)
    failed = Rehearsed(failed="CUDA out of memory")
    text = format_rehearsal(paper, {"sft": unknown, "dpo": failed})
    sft, dpo = text.splitlines()[2:4]
    assert "nan" not in text and "| 0 |" not in text and "0.00" not in text
    assert dpo == "| dpo | failed | ? | ? | ? | ? | ? |" and "| 60.0 | 10000 |  |" in sft
    assert text.endswith("dpo: CUDA out of memory")


def test_a_step_that_fails_says_why_and_ends_no_other(tmp_path):
    prompts, methods = {"source": "generated", "count": 8}, {"sft": {"learning_rate": 1e-3}}
    config = load_config({"experiment": "x", "prompts": prompts, "methods": methods})
    ((device, label, measured),) = rehearse(config, tmp_path)
    assert (device, label) == ("", "sft") and "train.jsonl" in measured.failed
    assert (tmp_path / "logs/rehearse/sft.log").exists()
