"""The formulas for memory and arithmetic, against what autograd really keeps and torch really computes."""

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch.utils.flop_counter import FlopCounterMode
from transformers import Qwen3Config, Qwen3ForCausalLM

from lossgeometry.costs import (
    GIB,
    Shape,
    activation_bytes,
    lora_parameters,
    micro_batch_tokens,
    shape_of,
    step_flops,
    training_bytes,
)
from lossgeometry.devices import peak_flops
from lossgeometry.settings.training import Lora, Training

QWEN3_4B = Shape(36, 2560, 9728, 4096, 1024, 151936, True, True)
PAPER = Lora(rank=32, alpha=64)


def small(layers: int, attention: str = "sdpa"):
    config = Qwen3Config(
        vocab_size=64,
        hidden_size=64,
        intermediate_size=160,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=32,
        tie_word_embeddings=True,
        attn_implementation=attention,
    )
    model = Qwen3ForCausalLM(config).bfloat16()
    lora = Lora(rank=8, alpha=8)
    adapted = get_peft_model(model, LoraConfig(r=8, lora_alpha=8, target_modules=list(lora.target_modules)))
    return adapted, shape_of(config.to_dict()), lora


def kept_bytes(layers: int, tokens: int) -> int:
    """Return the bytes of distinct storages that autograd keeps in a forward pass, parameters left out."""
    model, _, _ = small(layers)
    own = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = (storage.nbytes(), tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor), torch.autocast("cpu", torch.bfloat16):
        model.base_model.model.model(torch.randint(64, (1, tokens)))
    return sum(size for size, _ in kept.values())


def test_activations_per_token_and_layer_are_what_autograd_keeps():
    tokens = 256
    measured = (kept_bytes(3, tokens) - kept_bytes(1, tokens)) / 2 / tokens
    # Casts of the LoRA factors do not grow with the tokens; with 256 of them they weigh a little.
    _, shape, lora = small(1)
    assert activation_bytes(shape, lora) == pytest.approx(measured, rel=0.25)


def test_arithmetic_is_what_torch_counts():
    model, shape, lora = small(2, "eager")
    tokens = 48
    with FlopCounterMode(display=False) as counter:
        model(torch.randint(64, (1, tokens)), labels=torch.randint(64, (1, tokens))).loss.backward()
    # Eager attention computes the whole square, where a causal kernel computes half of it.
    square = 6 * shape.query * shape.layers * tokens**2
    assert counter.get_total_flops() == pytest.approx(step_flops(shape, lora, [tokens]) + square, rel=0.06)


def test_the_numbers_of_the_paper():
    assert lora_parameters(QWEN3_4B, PAPER) == 23_592_960
    assert QWEN3_4B.parameters == pytest.approx(4.02e9, rel=0.01)
    needed = training_bytes(QWEN3_4B, PAPER, 9216, checkpointing=False)
    assert needed < 80e9 and training_bytes(QWEN3_4B, PAPER, 9216, checkpointing=True) < needed / 3
    assert training_bytes(QWEN3_4B, PAPER, 0, False) > 2 * QWEN3_4B.parameters + 2 * GIB


def test_the_largest_forward_pass_is_bounded_by_rows_by_tokens_and_by_the_longest_row():
    settings = {"batch_size": 32, "micro_batch_size": 8, "max_length": 1000}
    assert micro_batch_tokens(Training(**settings)) == 8000
    assert micro_batch_tokens(Training(**settings, tokens_per_micro_batch=3000)) == 3000
    assert micro_batch_tokens(Training(**settings, tokens_per_micro_batch=300)) == 1000
    assert micro_batch_tokens(Training(**settings, tokens_per_micro_batch=90_000)) == 8000


def test_peaks_are_those_of_the_device_and_unknown_ones_are_not_guessed():
    assert peak_flops("NVIDIA H200") == peak_flops("NVIDIA H100 80GB HBM3") == 989e12
    assert peak_flops("NVIDIA H100 PCIe") == 756e12
    assert peak_flops("") != peak_flops("")
