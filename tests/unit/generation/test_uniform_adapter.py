"""Adapters with patterns, rewritten with one rank and one scale, are the same update to PEFT and to our reader."""

import json

import numpy as np
import pytest
import torch
from model_folders import save_model
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM

from lossgeometry.generation.uniform_adapter import has_patterns, write_uniform
from lossgeometry.updates.peft import Adapter

PATTERNS = [
    {"rank_pattern": {"q_proj": 2, r"layers\.1\.self_attn\.v_proj": 7}},
    {"alpha_pattern": {"q_proj": 3.0, "layers.0.self_attn.o_proj": 31}},
    {"rank_pattern": {"o_proj": 6}, "alpha_pattern": {"o_proj": 5}, "use_rslora": True},
]


@pytest.fixture(scope="module")
def student(tmp_path_factory):
    return save_model(tmp_path_factory.mktemp("student"))


def trained(student, folder, **config):
    """Save an adapter whose B is not zero, and return its logits on a few tokens."""
    torch.manual_seed(1)
    settings = LoraConfig(r=4, lora_alpha=9, target_modules=["q_proj", "k_proj", "v_proj", "o_proj"], **config)
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(student, dtype=torch.float32), settings)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter, std=0.3)
    model.save_pretrained(folder)
    return logits(model)


def logits(model):
    with torch.no_grad():
        return model.eval()(torch.arange(5, 17)[None]).logits


@pytest.mark.parametrize("config", PATTERNS, ids=str)
def test_the_rewritten_adapter_is_the_same_update(student, tmp_path, config):
    expected = trained(student, tmp_path / "adapter", **config)
    assert has_patterns(tmp_path / "adapter")
    folder = write_uniform(tmp_path / "adapter", tmp_path / "uniform")
    assert not has_patterns(folder)
    ours, theirs = Adapter(tmp_path / "adapter"), Adapter(folder)
    assert ours.modules == theirs.modules
    for module in ours.modules:
        a, b = (one.scale * one.b @ one.a for one in (ours.factors(module), theirs.factors(module)))
        assert np.abs(a - b).max() <= 1e-6 * np.abs(a).max()
    written = json.loads((folder / "adapter_config.json").read_text())
    ranks = {theirs.factors(module).a.shape[0] for module in theirs.modules}
    assert ranks == {written["r"]} == {written["lora_alpha"]}, "scale 1 without any pattern"
    base = AutoModelForCausalLM.from_pretrained(student, dtype=torch.float32)
    torch.testing.assert_close(logits(PeftModel.from_pretrained(base, folder)), expected, rtol=1e-4, atol=1e-4)


def test_an_adapter_of_one_rank_and_scale_is_left_alone(student, tmp_path):
    trained(student, tmp_path / "adapter")
    assert not has_patterns(tmp_path / "adapter")
