"""config/paper.yaml and config/llama.yaml with `smoke=true`, end to end on a CPU: what is fetched is stood in for, all else real.

The engine is vLLM where it is installed (see tests/vllm/install.sh), else transformers.
"""

import importlib.util
import os
from pathlib import Path

import pandas as pd
import pytest
import yaml
from stand_ins import endpoint, save_student, write_data
from transformers import LlamaConfig, Qwen3Config
from workflow_copy import WorkflowCopy

from lossgeometry.experiment.config import Config
from lossgeometry.experiment.loading import load_config
from lossgeometry.files.jsonl import read_lines
from lossgeometry.planning import preflight

CONFIG = Path(__file__).parents[2] / "config"
VLLM = importlib.util.find_spec("vllm") is not None


def shipped(name: str) -> dict:
    """Return the values of a configuration of this repository."""
    return yaml.safe_load((CONFIG / f"{name}.yaml").read_text(encoding="utf-8"))


def with_stand_ins(name: str, folder: Path, address: str) -> dict:
    """Return a configuration with another student, other data and another address, and all else as it is."""
    values = shipped(name)
    save_student(folder / "student", {"paper": Qwen3Config, "llama": LlamaConfig}[name])
    paths = write_data(folder)
    values["student"] = {"source": "folder", "name": str(folder / "student")}
    benchmarks = values["evaluation"]["benchmarks"]
    for name, block in (("train", values["prompts"]), ("gsm8k", values["probe"]), *benchmarks.items()):
        block.update(source="file", name=paths[name])
        for key in ("revision", "split", "subset"):
            block.pop(key, None)
    values["rollouts"]["engine"]["base_url"] = address
    values["grading"]["workers"] = 1
    on_policy = [method["options"] for name, method in values["methods"].items() if name.startswith("online")]
    if not VLLM:
        values["evaluation"]["engine"]["name"] = "transformers"
        for options in on_policy:
            options["engine"] = "transformers"
    # A CPU takes minutes over what takes a GPU seconds: shorter completions, smaller batches of tokens.
    for options in on_policy:
        options["max_new_tokens"] = 24
        if "overlong_cache" in options:
            options["overlong_cache"] = 8
    values["evaluation"]["sampling"]["max_new_tokens"] = 48
    for stage in {"connectivity", "representations", "behaviour"} & values.keys():
        values[stage]["tokens_per_batch"] = 1024
    return values | {"smoke": True}


@pytest.fixture(scope="module", params=["paper", "llama"])
def finished(request, tmp_path_factory) -> WorkflowCopy:
    folder = tmp_path_factory.mktemp(request.param)
    with endpoint(shipped(request.param)["teacher"]["name"]) as address, pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_API_KEY", "none")
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("PYTEST")},
            "HF_HOME": str(folder / "no-cache"),
            "HF_ENDPOINT": "http://127.0.0.1:9",
            "VLLM_CPU_KVCACHE_SPACE": "1",
        }
        values = with_stand_ins(request.param, folder, address)
        workflow = WorkflowCopy(folder / "project", values, environment)
        teacher, engine = workflow.config.teacher, workflow.config.rollouts.engine
        assert preflight.check_endpoint(teacher, engine).state == preflight.READY
        assert preflight.check_endpoint(teacher.model_copy(update={"name": "x"}), engine).state == preflight.MISSING
        workflow.run("--cores", "1", "all", seconds=3600)  # threads that wait for each other spin
    return workflow


def test_every_stage_leaves_what_it_promises(finished):
    config: Config = finished.config
    assert finished.results.name in ("paper-smoke", "llama-smoke")
    for path in (
        "summary.md",
        "explorer.html",
        *(f"tables/{name}.csv" for name in ("runs", "connectivity", "cka", "claims")),
    ):
        assert (finished.results / path).stat().st_size > 0, path
    assert all((finished.results / f"adapters/{run.id}/adapter_model.safetensors").exists() for run in config.trained)
    for run in config.evaluated:
        for benchmark in config.evaluation.benchmarks:
            assert len(list(read_lines(finished.results / f"evaluation/{run}/{benchmark}.jsonl"))) == 8


def test_every_method_took_its_steps_and_timed_them(finished):
    whole = load_config(shipped(finished.results.name.removesuffix("-smoke")))
    assert {run.label for run in finished.config.trained} == set(whole.methods)
    for run in finished.config.trained:
        training = pd.read_csv(finished.results / f"adapters/{run.id}/training.csv")
        assert list(training.step) == [1, 2, 3, 4]
        assert (training.seconds > 0).all() and (training.flop > 0).all()


def test_the_defects_of_the_data_were_found(finished):
    golds = {row["problem"]: row["answer"] for row in read_lines(finished.results / "prompts/gsm8k.jsonl")}
    assert all(answer.isdigit() for answer in golds.values())
    aime = [row["answer"] for row in read_lines(finished.results / "prompts/aime26.jsonl")]
    assert all(answer == str(int(answer)) for answer in aime)
    log = (finished.results / "logs/fetch_prompts/train.log").read_text(encoding="utf-8")
    assert "dropped 1 of 50 rows: the answer is empty" in log


def test_rollouts_are_the_endpoints_and_their_grades_are_marked_as_pretended(finished):
    rollouts = pd.read_parquet(finished.results / "rollouts/rollouts.parquet")
    assert len(rollouts) == 8 * 4 and (rollouts.verdict == "pretended").all()
    assert rollouts.groupby("prompt_id").reward.mean().eq(0.5).all()
