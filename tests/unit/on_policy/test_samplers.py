"""The transformers sampler draws from the policy as it is, and leaves no trace in its weights."""

from types import SimpleNamespace

import pytest
import torch
from model_folders import problem_rows, save_model
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from lossgeometry.generation.requests import rollout_requests
from lossgeometry.on_policy import samplers
from lossgeometry.on_policy.samplers import TransformersSampler
from lossgeometry.settings.rollouts import Sampling


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("targets", [["q_proj", "o_proj"], ["q_proj", "lm_head"]], ids=["blocks", "output layer"])
def test_samples_are_those_of_the_policy_whose_weights_stay_as_they_are(tmp_path, monkeypatch, dtype, targets):
    base = AutoModelForCausalLM.from_pretrained(save_model(tmp_path), dtype=dtype)
    model = get_peft_model(base, LoraConfig(r=4, target_modules=targets))
    torch.manual_seed(1)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            weight.data.normal_(0, 0.3)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    sampler = TransformersSampler(SimpleNamespace(student=tmp_path, prompt_suffix=""), Sampling(max_new_tokens=12), 5)
    requests = rollout_requests(problem_rows(4), 3, seed=0)
    prompts = sampler.tokens.prompts(requests)
    model.train()
    made = sampler.sample(model, requests, prompts)
    assert model.training and made == sampler.sample(model, requests, prompts)
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())
    monkeypatch.setattr(samplers.engine_module("transformers"), "mergeable", lambda model: False)
    assert made == sampler.sample(model, requests, prompts)
    with torch.no_grad(), model.disable_adapter():
        assert made != sampler.sample(model, requests, prompts)
