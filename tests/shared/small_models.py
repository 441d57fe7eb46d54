"""Small random Qwen3 models and LoRA folders for tests, written the way PEFT writes them."""

from pathlib import Path

import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from transformers import Qwen3Config, Qwen3ForCausalLM

TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj")


def small_model(
    seed: int = 0,
    layers: int = 2,
    vocabulary: int = 61,
    hidden_size: int = 32,
    intermediate_size: int = 48,
    num_attention_heads: int = 2,
    head_dim: int = 16,
) -> Qwen3ForCausalLM:
    """Return a random model in float32."""
    torch.manual_seed(seed)
    config = Qwen3Config(
        vocab_size=vocabulary,
        hidden_size=hidden_size,
        intermediate_size=intermediate_size,
        num_hidden_layers=layers,
        num_attention_heads=num_attention_heads,
        num_key_value_heads=1,
        head_dim=head_dim,
        tie_word_embeddings=True,
        initializer_range=0.2,
        pad_token_id=0,
        eos_token_id=1,
    )
    return Qwen3ForCausalLM(config).eval()


def save_adapter(
    folder: Path,
    seed: int,
    rank: int = 4,
    targets: tuple[str, ...] = TARGETS,
    a_seed: int | None = None,
    size: float = 0.1,
    model: Qwen3ForCausalLM | None = None,
    **more,
) -> Path:
    """Save a random adapter of a small model; adapters with one `a_seed` and one rank share all A."""
    model = get_peft_model(
        model or small_model(), LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=list(targets), **more)
    )
    shared, own = (np.random.default_rng(number) for number in (seed + 1000 if a_seed is None else a_seed, seed))
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            if "lora_" in name:
                draw = shared if "lora_A" in name else own
                parameter.copy_(torch.from_numpy(draw.normal(size=tuple(parameter.shape)) * size))
    model.save_pretrained(folder)
    return folder


def dense_update(adapter) -> dict[str, np.ndarray]:
    """Return s B A of every module, float64."""
    return {name: part.scale * part.b @ part.a for name in adapter.modules for part in [adapter.factors(name)]}
