"""A complete model folder, random but small, for tests that generate."""

from itertools import islice
from pathlib import Path

import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

from lossgeometry.problems.generated import draw_problems
from lossgeometry.students.tokenizer import train_tokenizer


def save_model(folder: Path, context: int = 256, **generation_settings) -> Path:
    """Save a random float32 model, whose distributions are far from flat, with a tokenizer for the tiny problems."""
    texts = [problem.text for problem in islice(draw_problems(0, "reachable", "pretraining"), 200)]
    tokenizer = train_tokenizer(texts, 320)
    torch.manual_seed(0)
    model = Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=len(tokenizer),
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            head_dim=16,
            tie_word_embeddings=True,
            initializer_range=0.3,
            max_position_embeddings=context,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
    )
    model.save_pretrained(folder)
    if generation_settings:
        model.generation_config.update(**generation_settings)
        model.generation_config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def problem_rows(count: int, seed: int = 0) -> list[dict[str, str]]:
    """Return problems as prompts files hold them."""
    drawn = islice(draw_problems(seed, "reachable", "tests"), count)
    return [{"id": f"p{index}", "problem": one.text, "answer": str(one.answer)} for index, one in enumerate(drawn)]
