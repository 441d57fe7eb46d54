"""Decoding with shared prompts gives, token by token, what `generate` gives; models it is not made for are left to that."""

import numpy as np
import pytest
import torch
import transformers
from model_folders import problem_rows, save_model
from small_models import save_adapter
from transformers import AutoModelForCausalLM, GenerationConfig, LogitsProcessorList

from lossgeometry.generation.decoding import can_decode, decode, padded
from lossgeometry.generation.engines.transformers import GumbelSampling, TransformersEngine
from lossgeometry.generation.requests import GREEDY, SAMPLED, Request, evaluation_requests, sample_seed
from lossgeometry.settings.rollouts import Sampling

pytestmark = pytest.mark.slow

VOCABULARY = 61
PAD = 0
BUDGET = 24
SHAPE = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "initializer_range": 0.4,
    "pad_token_id": PAD,
    "eos_token_id": 1,
    "bos_token_id": None,
}
WINDOWS = {"layer_types": ["sliding_attention", "full_attention", "sliding_attention"], "sliding_window": 7}
ACCEPTED = {
    "Qwen2": {},
    "Qwen3": {},
    "Llama": {},
    "Mistral": {"sliding_window": 7},
    "Olmo2": {},
    "Gemma": {},
    "Gemma2": WINDOWS,
    "Gemma3": {**WINDOWS, "config": "Gemma3TextConfig"},
}
LEFT_TO_GENERATE = {
    "Phi3": {},
    "Mamba": {},
    "Bloom": {},
    "Qwen3Next": {"layer_types": ["linear_attention"] * 2 + ["full_attention"]},
}


def random_model(name: str, changes: dict) -> torch.nn.Module:
    """A random model in float64, in which no two orders of summation give another token."""
    torch.manual_seed(0)
    changes = dict(changes)
    config = getattr(transformers, changes.pop("config", f"{name}Config"))(**SHAPE | changes)
    return getattr(transformers, f"{name}ForCausalLM")(config).double().eval()


def generated(model, prompts, noise, end_ids) -> list[list[int]]:
    """What `generate` makes of the prompts, cut after the end token."""
    model.generation_config = GenerationConfig(eos_token_id=end_ids, pad_token_id=PAD)
    tokens, mask = padded(prompts, PAD)
    width = tokens.shape[1]
    rows = torch.arange(len(prompts))
    processor = LogitsProcessorList([lambda ids, logits: noise.scores(ids.shape[1] - width, rows, logits)])
    made = model.generate(input_ids=tokens, attention_mask=mask, logits_processor=processor, max_new_tokens=BUDGET)
    cut = []
    for row in made[:, width:].tolist():
        end = next((place for place, token in enumerate(row) if token in end_ids), len(row))
        cut.append(row[: end + 1])
    return cut


@pytest.mark.parametrize("end_ids", [[1], [1, 5, 9]], ids=["one end", "several ends"])
@pytest.mark.parametrize("name", ACCEPTED)
def test_the_tokens_are_those_of_generate(name, end_ids):
    model = random_model(name, ACCEPTED[name])
    assert can_decode(model)
    draw = np.random.default_rng(3)
    texts = [draw.integers(2, VOCABULARY, size=length).tolist() for length in (3, 12, 1, 7, 12)]
    prompts = [texts[number] for number in (0, 0, 1, 2, 0, 2, 3, 4, 4, 4, 1, 0)]  # shared, and not in one run
    requests = [
        Request(str(number), number, "", GREEDY if number % 4 == 0 else SAMPLED, sample_seed(0, name, number))
        for number in range(len(prompts))
    ]
    noise = GumbelSampling(requests, Sampling(temperature=6.0, top_p=0.98, max_new_tokens=BUDGET))
    made = decode(model, prompts, noise.choose, end_ids, PAD, BUDGET)
    assert made == generated(model, prompts, noise, end_ids)
    lengths = [len(row) for row in made]
    assert max(lengths) == BUDGET, "one completion reaches its budget"
    if len(end_ids) > 1:
        assert len({row[-1] for row in made if len(row) < BUDGET} & set(end_ids)) > 1
        assert len(set(lengths)) > 3, "completions end at different steps"


@pytest.mark.parametrize("name", LEFT_TO_GENERATE)
def test_models_with_another_state_are_left_to_generate(name):
    assert not can_decode(random_model(name, LEFT_TO_GENERATE[name]))


def test_a_budget_of_one_token_is_one_token():
    model = random_model("Qwen3", {})
    noise = GumbelSampling([Request("p", 0, "", GREEDY, 0)], Sampling())
    assert [len(row) for row in decode(model, [[3, 4, 5]], noise.choose, [1], PAD, 1)] == [1]


def test_a_model_that_is_left_to_generate_answers_the_same_requests_alike(tmp_path, monkeypatch):
    requests = evaluation_requests(problem_rows(6), greedy=True, samples=2, seed=0)
    engine = TransformersEngine(save_model(tmp_path), None, "", 9)
    own = [one for batch in engine.generate(requests, Sampling(max_new_tokens=16)) for one in batch]
    monkeypatch.setattr("lossgeometry.generation.engines.transformers.can_decode", lambda model: False)
    assert [one for batch in engine.generate(requests, Sampling(max_new_tokens=16)) for one in batch] == own


@pytest.mark.parametrize(
    ("dtype", "targets", "merged"),
    [
        ("float32", ("q_proj", "v_proj"), True),
        ("bfloat16", ("q_proj", "v_proj"), False),
        ("float32", ("q_proj", "lm_head"), False),  # which is the embedding as well: merged, it would change that
    ],
)
def test_an_adapter_is_merged_where_nothing_is_lost(tmp_path, dtype, targets, merged):
    model = AutoModelForCausalLM.from_pretrained(save_model(tmp_path / "model"), dtype=getattr(torch, dtype))
    model.save_pretrained(tmp_path / "model")
    adapter = save_adapter(tmp_path / "adapter", seed=1, targets=targets, size=0.3, model=model)
    engine = TransformersEngine(tmp_path / "model", adapter, "", 4)
    assert not any("lora" in name for name, _ in engine.model.named_parameters()) == merged
    tokens = torch.arange(2, 40)[None]
    reference = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "model", dtype=torch.float64)
    from peft import PeftModel

    reference = PeftModel.from_pretrained(reference, adapter).eval()
    with torch.no_grad():
        gap = (engine.model(tokens).logits.double() - reference(tokens).logits).abs().max()
    assert gap < (1e-4 if dtype == "float32" else 2.0)
