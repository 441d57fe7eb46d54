"""The pre-flight finds what is missing and says what to do."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from fault_proxy import Endpoint
from safetensors.numpy import save_file

from lossgeometry.costs import GIB, Shape
from lossgeometry.errors import InputError
from lossgeometry.experiment.loading import load_config
from lossgeometry.gpus import Gpu
from lossgeometry.planning import preflight
from lossgeometry.planning.preflight import MISSING, READY, UNKNOWN
from lossgeometry.settings.models import Model
from lossgeometry.settings.rollouts import Engine
from lossgeometry.students.fetched import count_parameters, provide_model

ROOT = Path(__file__).resolve().parents[3]
PAPER = yaml.safe_load((ROOT / "config" / "paper.yaml").read_text(encoding="utf-8"))
QWEN3_4B = Shape(36, 2560, 9728, 4096, 1024, 151936, True, True)


def paper(**training):
    return load_config(PAPER | {"training": PAPER["training"] | training})


def states(config, gpus, shape=QWEN3_4B):
    return [finding.state for finding in preflight.check_gpus(config, shape, gpus)]


def test_training_is_held_against_the_memory_of_the_smallest_gpu():
    h100 = Gpu("NVIDIA H100 80GB HBM3", 80 * GIB)
    assert set(states(paper(), [h100])) == {READY}
    said = " ".join(
        finding.text for finding in preflight.check_gpus(paper(tokens_per_micro_batch=32768), QWEN3_4B, [h100])
    )
    assert "it will checkpoint" in said
    assert MISSING in states(paper(), [h100, Gpu("NVIDIA T4", 12 * GIB)])
    assert MISSING in states(paper(processes=2), [h100])
    assert MISSING not in states(paper(processes=2), [h100, h100])


def test_a_login_node_without_a_gpu_is_unknown_not_wrong():
    assert states(paper(), []) == [UNKNOWN, UNKNOWN]


def test_an_experiment_on_the_cpu_needs_no_gpu():
    config = load_config(yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8")))
    assert not preflight.needs_gpu(config) and states(config, []) == [READY]


def test_disk_that_is_not_there_is_missing(tmp_path):
    assert preflight.check_disk(tmp_path / "results", 1.0).state == READY
    assert preflight.check_disk(tmp_path / "results", 1e18).state == MISSING


def test_versions_are_compared_with_the_pins():
    pins = preflight.pinned_versions(ROOT / "envs" / "cpu.yaml")
    assert "torch" in pins and preflight.check_versions(pins).state == READY
    finding = preflight.check_versions({"torch": "0.1", "no-such-package": "1.0"})
    assert finding.state == MISSING and "no-such-package none instead of 1.0" in finding.text


def test_revisions_are_asked_for_and_only_what_is_still_to_be_fetched(tmp_path):
    sources = preflight.hub_sources(paper(), tmp_path)
    assert set(sources) == {
        ("model", "Qwen/Qwen3-4B-Instruct-2507"),
        ("dataset", "agentica-org/DeepScaleR-Preview-Dataset"),
        ("dataset", "openai/gsm8k"),
        ("dataset", "MathArena/aime_2026"),
        ("dataset", "allenai/ai2_arc"),
    }
    (tmp_path / "models" / "student").mkdir(parents=True)
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "gsm8k.jsonl").write_text("")
    assert set(preflight.hub_sources(paper(), tmp_path)) < set(sources)

    def commit_of(kind, name, revision):
        if name == "openai/gsm8k":
            raise OSError("no such revision")
        return revision if kind == "model" else "f" * 40

    found = {finding.text.split()[1]: finding for finding in preflight.check_revisions(sources, commit_of)}
    assert found["Qwen/Qwen3-4B-Instruct-2507"].state == READY
    assert found["openai/gsm8k"].state == MISSING and "no such revision" in found["openai/gsm8k"].text
    assert "correct the revision" in found["MathArena/aime_2026"].text


KEY = "sk-secret-qwvzjxkqpw"


@pytest.fixture
def endpoint(monkeypatch):
    monkeypatch.setenv("TEACHER_KEY", KEY)
    server = Endpoint()
    yield server
    server.close()


def asked(address, name="teacher"):
    engine = Engine.model_construct(name="openai", base_url=address, key_variable="TEACHER_KEY")
    finding = preflight.check_endpoint(Model(source="endpoint", name=name), engine)
    assert KEY not in finding.text
    return finding


def test_an_endpoint_is_asked_for_its_models_with_the_key(endpoint):
    assert asked(endpoint.url).state == READY and endpoint.keys == [f"Bearer {KEY}"]
    endpoint.listing = (200, {"data": [{"id": f"a {KEY}"}]})
    assert asked(endpoint.url).text.endswith("has no model teacher, only a ***; correct teacher.name")


def test_an_endpoint_out_of_reach_is_missing(endpoint):
    assert asked("http://127.0.0.1:9/v1").state == MISSING


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed_with_the_key(endpoint, status):
    other = Endpoint()
    endpoint.listing = (status, b"", {"Location": f"{other.url}/models"})
    assert asked(endpoint.url).text == f"{endpoint.url} answers {status}; check rollouts.engine.base_url"
    assert other.keys == []
    other.close()


@pytest.mark.parametrize(
    "listing",
    [(200, b"<html>"), (200, b"["), (200, [1]), (200, {"data": [3]}), (200, {"data": None}), (401, b""), (500, b"")],
    ids=str,
)
def test_an_endpoint_that_lists_no_models_is_missing(endpoint, listing):
    endpoint.listing = listing
    assert asked(endpoint.url).state == MISSING


@pytest.mark.parametrize("address", ["file:///etc/passwd", "ftp://host/v1", "http://host/v1", "https://a:b@host/v1"])
def test_the_key_goes_to_no_address_that_is_not_safe(endpoint, address):
    assert asked(address).text.startswith("rollouts.engine.base_url ")


def test_a_key_that_is_missing_or_no_header_is_missing(endpoint, monkeypatch):
    monkeypatch.setenv("TEACHER_KEY", KEY + "\n")
    assert "a line break" in asked(endpoint.url).text and endpoint.keys == []
    monkeypatch.delenv("TEACHER_KEY")
    assert "set the environment variable TEACHER_KEY" in asked(endpoint.url).text


def test_training_must_have_room_for_a_completion():
    assert preflight.check_lengths(paper()).state == READY
    assert "512 are left for the prompt" in preflight.check_lengths(paper()).text
    assert preflight.check_lengths(paper(max_length=4096)).state == MISSING


def save_model_folder(folder: Path) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "tokenizer.json").write_text("{}")
    save_file({"a": np.zeros((3, 5), np.float32), "b": np.zeros(7, np.float16)}, folder / "model-1.safetensors")
    return folder


def test_weights_are_counted_from_their_headers(tmp_path):
    assert count_parameters(save_model_folder(tmp_path / "model") / "model-1.safetensors") == 22


def test_a_cut_file_of_weights_is_refused(tmp_path):
    folder = save_model_folder(tmp_path / "model")
    whole = (folder / "model-1.safetensors").read_bytes()
    (folder / "model-1.safetensors").write_bytes(whole[:-4])
    with pytest.raises(InputError, match="fetch or save it again"):
        provide_model(Model(source="folder", name=str(folder)), tmp_path / "student", None)
    assert not (tmp_path / "student").exists()


def test_a_missing_file_of_weights_is_refused(tmp_path):
    folder = save_model_folder(tmp_path / "model")
    index = {"weight_map": {"a": "model-1.safetensors", "c": "model-2.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(InputError, match="lacks model-2.safetensors"):
        provide_model(Model(source="folder", name=str(folder)), tmp_path / "student", None)
