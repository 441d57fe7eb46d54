"""What is measured: a student of random weights, its initial adapter, and rollouts of random words."""

import json
import random
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import transformers

from lossgeometry.settings.training import Lora, Training
from lossgeometry.students.tokenizer import train_tokenizer
from lossgeometry.training.initialisation import initialise
from lossgeometry.training.training_job import TrainingJob

SIZES = {
    "qwen3-4b": {
        "vocab_size": 151936,
        "hidden_size": 2560,
        "intermediate_size": 9728,
        "num_hidden_layers": 36,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "head_dim": 128,
    },
    "small": {
        "vocab_size": 512,
        "hidden_size": 64,
        "intermediate_size": 160,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
    },
}
WORDS = ("one", "two", "three", "plus", "minus", "apples", "pears", "gives", "takes", "equals", "so", "then")
LORA = Lora(rank=32, alpha=64)


def make_world(folder: Path, size: str, length: int, prompts: int) -> dict[str, Path]:
    """Write a random student, its initial adapter and rollouts of 0.3 to 1 times `length` tokens, two per prompt."""
    generator = random.Random(0)
    tokenizer = train_tokenizer([" ".join(generator.choices(WORDS, k=400)) for _ in range(50)], 400)
    # A head, not a decoder, is what the vocabulary costs: the tokenizer may have fewer tokens than the model has rows.
    config = transformers.Qwen3Config(
        **SIZES[size],
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        max_position_embeddings=2 * length,
        rope_theta=5_000_000,
    )
    torch.manual_seed(0)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        transformers.Qwen3ForCausalLM(config).to(torch.bfloat16).save_pretrained(folder / "student")
    tokenizer.save_pretrained(folder / "student")
    (folder / "initialisation").mkdir()
    initialise(folder / "student", LORA, 42, folder / "initialisation")
    rows = []
    problems = {f"p{number}": " ".join(generator.choices(WORDS, k=60)) for number in range(prompts)}
    for prompt in problems:
        for sample in range(2):
            tokens = int(length * generator.uniform(0.3, 1.0)) - 150
            text = " ".join(generator.choices(WORDS, k=max(8, tokens)))
            ids = tokenizer(text)["input_ids"][: max(8, tokens)]
            rows.append((prompt, sample, tokenizer.decode(ids), "stop", float(sample == 0)))
    frame = pd.DataFrame(rows, columns=["prompt_id", "sample", "completion", "finish_reason", "reward"])
    frame.to_parquet(folder / "rollouts.parquet")
    (folder / "prompts.json").write_text(json.dumps(problems))
    return {name: folder / name for name in ("student", "initialisation", "rollouts.parquet", "prompts.json")}


def make_job(folder: Path, world: dict[str, Path], name: str, **training: Any) -> TrainingJob:
    """Return a job on the world's files."""
    output = folder / "adapters" / name
    output.mkdir(parents=True, exist_ok=True)
    return TrainingJob(
        run=name,
        learning_rate=5e-6,
        order_seed=1,
        training=Training(**training),
        prompt_suffix="",
        student=world["student"],
        initialisation=world["initialisation"],
        prompts={key: {"problem": text} for key, text in json.loads(world["prompts.json"].read_text()).items()},
        rollouts=world["rollouts.parquet"],
        output=output,
        checkpoints=folder / "checkpoints" / name,
        digest=name,
    )
