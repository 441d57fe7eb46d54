"""Losses are those of the model's own logits, whatever its architecture does to them, and with an update of its head."""

import numpy as np
import pytest
import torch
from small_models import save_adapter, small_model
from transformers import (
    CohereConfig,
    CohereForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    GraniteConfig,
    GraniteForCausalLM,
)

from lossgeometry.errors import InputError
from lossgeometry.forward import losses
from lossgeometry.forward.adapted_model import attached
from lossgeometry.forward.losses import check_losses, sequence_losses
from lossgeometry.forward.sequences import TokenSequence
from lossgeometry.updates.peft import Adapter

pytestmark = pytest.mark.slow

SHAPE = {
    "vocab_size": 61,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "initializer_range": 0.5,
    "pad_token_id": 0,
    "bos_token_id": 2,
    "eos_token_id": 1,
}
DRAW = np.random.default_rng(0)
SEQUENCES = [
    TokenSequence(str(n), tuple(DRAW.integers(3, 61, p).tolist()), tuple(DRAW.integers(3, 61, c).tolist()))
    for n, (p, c) in enumerate([(3, 9), (1, 1), (12, 4), (5, 5)])
]


def gemma():
    config = Gemma2Config(**SHAPE, head_dim=16, final_logit_softcapping=3.0, query_pre_attn_scalar=16)
    return Gemma2ForCausalLM(config)


def granite():
    return GraniteForCausalLM(GraniteConfig(**SHAPE, logits_scaling=8.0))


def cohere():
    return CohereForCausalLM(CohereConfig(**SHAPE, logit_scale=0.0625))


MODELS = {"Gemma-2": gemma, "Granite": granite, "Cohere": cohere, "Qwen3": small_model}


def made(name):
    torch.manual_seed(0)
    return MODELS[name]().eval()


def plain(model):
    """Mean cross-entropy of every completion from the model's own forward pass, one sequence at a time, (sequences,)."""
    found = []
    for sequence in SEQUENCES:
        tokens = torch.tensor([sequence.tokens])
        start = len(sequence.prompt)
        with torch.no_grad():
            logits = model(input_ids=tokens).logits[0, start - 1 : -1]
        found.append(torch.nn.functional.cross_entropy(logits, tokens[0, start:]).item())
    return np.array(found)


@pytest.mark.parametrize("name", MODELS)
def test_losses_are_those_of_the_models_own_forward_pass(name, monkeypatch):
    model = made(name).double()
    expected = plain(model)
    with attached(model, []) as span:
        for at_once in (1, 61 * 4, 1 << 26):  # one token's logits, four tokens', all
            monkeypatch.setattr(losses, "LOGITS_AT_ONCE", at_once)
            measured = sequence_losses(model, span, np.zeros((1, 0)), SEQUENCES, tokens_per_batch=64)[0]
            assert measured == pytest.approx(expected, abs=1e-10)
    assert plain(model) == pytest.approx(expected, abs=0)  # the model is what it was


@pytest.mark.parametrize("name", ["Gemma-2", "Granite", "Cohere"])
def test_the_output_layer_alone_would_give_other_losses(name):
    """The case that the module is for: were logits neither capped nor scaled, the losses would differ."""
    model = made(name)
    expected = plain(model)
    with attached(model, []) as span, torch.no_grad():
        by_hand = []
        for sequence in SEQUENCES:
            tokens, start = torch.tensor([sequence.tokens]), len(sequence.prompt)
            logits = model.get_output_embeddings()(model.get_decoder()(tokens).last_hidden_state)[0, start - 1 : -1]
            by_hand.append(torch.nn.functional.cross_entropy(logits, tokens[0, start:]).item())
        check_losses(model, span, SEQUENCES)
    assert np.abs(np.array(by_hand) - expected).max() > 0.1


@pytest.mark.parametrize("name", MODELS)
def test_an_update_of_the_output_layer_is_applied_at_the_point_of_each_sequence(name, tmp_path, monkeypatch):
    adapters = [
        Adapter(save_adapter(tmp_path / part, seed, rank, targets=("q_proj", "lm_head"), model=made(name)))
        for part, seed, rank in (("a", 1, 3), ("b", 2, 5))
    ]
    assert "lm_head" in adapters[0].modules
    points = np.array([[1.0, 0.0], [0.4, 0.6], [0.0, 0.0]])
    expected = []
    for point in points:
        dense = made(name).double()
        dense.lm_head.weight = torch.nn.Parameter(dense.lm_head.weight.detach().clone())  # no longer the embedding's
        with torch.no_grad():
            for weight, adapter in zip(point, adapters, strict=True):
                for module in adapter.modules:
                    part = adapter.factors(module)
                    dense.get_submodule(module).weight += torch.from_numpy(weight * part.scale * part.b @ part.a)
        expected.append(plain(dense))
    model = made(name)
    with attached(model, adapters) as span:
        for at_once in (61 * 4, 1 << 26):
            monkeypatch.setattr(losses, "LOGITS_AT_ONCE", at_once)
            measured = sequence_losses(model, span, points, SEQUENCES, tokens_per_batch=40)
            assert np.abs(measured - np.array(expected)).max() < 2e-5
        check_losses(model, span, SEQUENCES)


def test_a_model_that_changes_its_states_before_the_output_layer_is_refused():
    model = made("Qwen3")
    decoder = model.get_decoder()
    plain_forward = type(model).forward

    class Sharpened(type(model)):
        """Doubles its logits, but only of sequences that it was given as tokens."""

        def forward(self, input_ids=None, **more):
            found = plain_forward(self, input_ids=input_ids, **more)
            if input_ids is not None:
                found.logits = found.logits * 2
            return found

    model.__class__ = Sharpened
    assert model.get_decoder() is decoder
    with attached(model, []) as span, pytest.raises(InputError, match="losses of Sharpened cannot be measured"):
        check_losses(model, span, SEQUENCES)
