"""The base is served like its adapters where an engine applies these by kernels of their own."""

import json

import numpy as np
import pytest
from small_models import small_model

from lossgeometry.errors import InputError
from lossgeometry.evaluation import answering
from lossgeometry.files.safetensors import write_tensors
from lossgeometry.generation.zero_adapter import write_zero
from lossgeometry.settings.tasks import Answers
from lossgeometry.updates.peft import Adapter


@pytest.fixture(scope="module")
def student(tmp_path_factory):
    folder = tmp_path_factory.mktemp("student")
    small_model(vocabulary=20).save_pretrained(folder)
    return folder


def test_it_is_an_adapter_of_the_model_and_changes_nothing(student, tmp_path):
    adapter = Adapter(write_zero(student, tmp_path))
    layers = json.loads((student / "config.json").read_text())["num_hidden_layers"]
    assert adapter.modules == [f"model.layers.{layer}.self_attn.o_proj" for layer in range(layers)]
    for module in adapter.modules:
        b, a, scale = adapter.factors(module)
        assert len(a) == 1 and not np.any(scale * b @ a)


def test_a_model_without_the_matrix_is_told(tmp_path):
    write_tensors(tmp_path / "model.safetensors", {"h.0.c_attn.weight": np.zeros((2, 2), np.float32)}, {})
    with pytest.raises(InputError, match="no o_proj.*use transformers"):
        write_zero(tmp_path, tmp_path)


@pytest.mark.parametrize("name", ["vllm", "transformers"])
@pytest.mark.parametrize("given", [True, False])
def test_only_a_base_under_vllm_is_given_it(student, tmp_path, monkeypatch, name, given):
    asked = []

    class Silent:
        def generate(self, requests, sampling):
            return iter(())

    def make_engine(engine, model, adapter, suffix, budget):
        asked.append((adapter, adapter is not None and (adapter / "adapter_config.json").is_file()))
        return Silent()

    monkeypatch.setattr(answering, "make_engine", make_engine)
    problems = tmp_path / "prompts" / "b.jsonl"
    problems.parent.mkdir()
    problems.write_text('{"id": "p", "problem": "1 + 1", "answer": "2"}\n')
    own = write_zero(student, tmp_path) if given else None
    task = Answers(prompt_suffix="", greedy=True, samples=0, sampling={}, engine={"name": name}, seed=1)
    answering.answer(task, {}, {}, student, own, [problems], [tmp_path / "completions" / "base" / "b.jsonl"])
    ((adapter, readable),) = asked
    assert (adapter == own) if given or name == "transformers" else readable
