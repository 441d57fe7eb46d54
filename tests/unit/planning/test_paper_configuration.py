"""config/paper.yaml and config/llama.yaml say what the paper says, with pinned sources; their smoke variants keep every stage."""

from pathlib import Path

import pytest
import yaml

from lossgeometry.costs import Shape
from lossgeometry.errors import ConfigError
from lossgeometry.experiment.config import Config
from lossgeometry.experiment.loading import load_config
from lossgeometry.planning.budget import budget, format_budget
from lossgeometry.planning.estimates import REFERENCE_DEVICE, Work, decode_hours

CONFIG = Path(__file__).resolve().parents[3] / "config"
QWEN3_4B = Shape(36, 2560, 9728, 4096, 1024, 151936, True, True)


def load(name: str, **changes) -> Config:
    return load_config(yaml.safe_load((CONFIG / f"{name}.yaml").read_text(encoding="utf-8")) | changes)


def test_the_protocol_of_the_paper():
    paper = load("paper")
    lora, training = paper.lora, paper.training
    assert (lora.rank, lora.alpha, lora.dropout) == (32, 64, 0)
    assert lora.target_modules == ("q_proj", "k_proj", "v_proj", "o_proj")
    assert (training.steps, training.schedule_steps, training.batch_size) == (1000, 1500, 32)
    assert (training.warmup_ratio, training.weight_decay, training.max_grad_norm) == (0.05, 0.01, 1.0)
    assert training.precision == "bfloat16" and paper.rollouts.samples_per_prompt == 4
    assert {label: method.learning_rate for label, method in paper.methods.items()} == {
        **dict.fromkeys(("sft", "rft", "dft", "rift", "offline_grpo", "online_grpo", "online_dapo"), 5e-6),
        "dpo": 5e-7,
    }
    assert paper.methods["dpo"].options["beta"] == 0.1 and paper.methods["offline_grpo"].options["bias"] == 0.1
    assert (paper.methods["online_grpo"].steps, paper.methods["online_grpo"].options["generations"]) == (600, 8)
    assert {"sft.lr5e-06.s42", "sft.lr5e-06.s123", "sft.lr5e-07.s42", "sft.lr5e-05.s42"} <= set(paper.runs)
    assert paper.prompts.count * paper.rollouts.samples_per_prompt == 75_000
    assert list(paper.evaluation.benchmarks) == ["gsm8k", "aime26", "arc"] and paper.evaluation.greedy
    assert paper.geometry.k == 10 and paper.representations.prompts == 100


@pytest.mark.parametrize("name", ["paper", "llama"])
def test_every_value_is_marked_with_its_source(name):
    lines = (CONFIG / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
    body = lines[next(number for number, line in enumerate(lines) if line.startswith("experiment")) :]
    marked = sum("[paper]" in line or "[ours]" in line for line in body)
    assert marked > 40 and any("[paper]" in line for line in body)


@pytest.mark.parametrize("name", ["paper", "llama"])
@pytest.mark.parametrize("revision", ["", "main", "cdbee75"])
def test_a_source_that_is_not_pinned_is_refused(name, revision):
    student = load(name).student.model_dump() | {"revision": revision}
    with pytest.raises(ConfigError, match="40-digit commit"):
        load(name, student=student)


@pytest.mark.parametrize("name", ["config", "paper", "llama"])
def test_a_smoke_run_keeps_every_method_stage_and_engine_and_mixes_with_no_result(name):
    full, smoke = load(name), load(name, smoke=True)
    assert smoke.experiment == f"{full.experiment}-smoke"
    assert list(smoke.methods) == list(full.methods) and list(smoke.evaluation.benchmarks) == list(
        full.evaluation.benchmarks
    )
    assert smoke.prompts.count == 8 and smoke.training.steps == 4
    assert all(not method.steps or method.steps <= 4 for method in smoke.methods.values())
    for pairs in ("pairs", "connectivity_pairs", "representation_pairs"):
        assert bool(getattr(smoke, pairs)) == bool(getattr(full, pairs))
    between = [pair for pair in smoke.connectivity_pairs if len({smoke.runs[run].label for run in pair}) == 2]
    assert len(between) == 1, "the costly stages of a smoke run try one pair of methods"
    assert (smoke.student, smoke.teacher, smoke.lora) == (full.student, full.teacher, full.lora)
    assert smoke.evaluation.engine == full.evaluation.engine and smoke.rollouts.engine == full.rollouts.engine
    assert smoke.training.tokens_per_micro_batch == full.training.tokens_per_micro_batch
    again = load_config(smoke.model_dump(mode="json", by_alias=True))
    assert again.model_dump() == smoke.model_dump()


def test_the_budget_follows_the_runs():
    sizes = {"train": 18750, "gsm8k": 1319, "aime26": 30, "arc": 1172}
    paper = {stage.name: stage for stage in budget(load("paper"), Work(QWEN3_4B, sizes.__getitem__))}
    smoke = {stage.name: stage for stage in budget(load("paper", smoke=True), Work(QWEN3_4B, lambda name: 8))}
    assert paper.keys() == smoke.keys()
    assert paper["training"].jobs == 27 and paper["evaluation"].jobs == 26
    assert paper["training"].gpu_hours > 10 * smoke["training"].gpu_hours
    assert "| training | 27 |" in format_budget(list(paper.values()), REFERENCE_DEVICE)


def test_decoding_together_is_cheaper_but_never_free():
    alone, together = (decode_hours(QWEN3_4B, 1000, 500, count, REFERENCE_DEVICE) for count in (1, 256))
    assert alone / 256 < together < alone / 4
