"""Pre-training of the tiny Qwen3 model on generated problems."""

import random
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

from lossgeometry.files.atomic import atomic_folder
from lossgeometry.generation.templating import completion_token_ids, prompt_token_ids
from lossgeometry.problems.generated import draw_problems, write_solution
from lossgeometry.problems.ordering import draw_orderings
from lossgeometry.settings.models import TinyModel
from lossgeometry.students.half_batches import half_batches
from lossgeometry.students.tokenizer import train_tokenizer

TOKENIZER_PROBLEMS = 2000
Row = tuple[list[int], list[int]]
"""Token ids of a problem and of its solution."""
BUCKET_BATCHES = 8
"""Batches sorted by length together, so that a batch wastes little on padding."""


def _draw_texts(settings: TinyModel, count: int) -> list[tuple[str, str]]:
    """Return (problem, solution) pairs in the configured mixture of skills, difficulties and styles."""
    rng = random.Random(settings.seed)
    orderings = draw_orderings(settings.seed, "pretraining")
    streams = {name: draw_problems(settings.seed, name, "pretraining") for name in ("reachable", "hard")}
    texts = []
    for _ in range(count):
        # Without the second skill nothing is drawn for it, so that the texts are those of the first skill alone.
        if settings.ordering_fraction and rng.random() < settings.ordering_fraction:
            ordering = next(orderings)
            texts.append((ordering.text, ordering.solution))
            continue
        problem = next(streams["hard" if rng.random() < settings.hard_fraction else "reachable"])
        draw = rng.random()
        if draw < settings.hasty_fraction:
            style = "hasty"
        else:
            style = "careful" if draw < settings.hasty_fraction + settings.careful_fraction else "quick"
        texts.append((problem.text, write_solution(problem, style, rng, settings.slip_fraction)))
    return texts


def _batches(rows: list[Row], settings: TinyModel) -> list[list[Row]]:
    """Return the rows in batches of similar length, in random order."""
    size, rng, batches = settings.batch_size, random.Random(settings.seed), []
    for start in range(0, len(rows), size * BUCKET_BATCHES):
        block = sorted(rows[start : start + size * BUCKET_BATCHES], key=lambda row: len(row[0]) + len(row[1]))
        chunk = [block[i : i + size] for i in range(0, len(block), size)]
        rng.shuffle(chunk)
        batches += chunk
    return batches


def _collate(batch: Sequence[Row], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return token ids and labels, both (batch, length), padded on the right; the loss is on the completions only."""
    length = max(len(prompt) + len(completion) for prompt, completion in batch)
    tokens = torch.full((len(batch), length), pad)
    labels = torch.full((len(batch), length), -100)
    for i, (prompt, completion) in enumerate(batch):
        row = torch.tensor(prompt + completion)
        tokens[i, : len(row)] = row
        labels[i, len(prompt) : len(row)] = row[len(prompt) :]
    return tokens, labels


def _optimizers(model: Qwen3ForCausalLM, settings: TinyModel) -> list[torch.optim.Optimizer]:
    """Return Muon for the matrices inside the blocks and AdamW for the rest (Jordan et al. 2024)."""
    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and "embed" not in name]
    inside = {id(p) for p in matrices}
    rest = [p for p in model.parameters() if id(p) not in inside]
    return [
        torch.optim.Muon(matrices, lr=settings.muon_learning_rate, momentum=0.95, weight_decay=0.0, ns_steps=5),
        torch.optim.AdamW(rest, lr=settings.adamw_learning_rate, betas=(0.9, 0.98), weight_decay=0.0),
    ]


def build_model(settings: TinyModel, vocabulary_size: int, pad: int, end: int) -> Qwen3ForCausalLM:
    """Return the randomly initialised model."""
    torch.manual_seed(settings.seed)
    return Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=vocabulary_size,
            hidden_size=settings.hidden_size,
            intermediate_size=settings.intermediate_size,
            num_hidden_layers=settings.layers,
            num_attention_heads=settings.attention_heads,
            num_key_value_heads=settings.key_value_heads,
            head_dim=settings.head_dim,
            max_position_embeddings=1024,
            tie_word_embeddings=True,
            pad_token_id=pad,
            bos_token_id=None,
            eos_token_id=end,
        )
    )


def pretrain(settings: TinyModel, folder: Path) -> None:
    """Pre-train the tiny model and save it, with its tokenizer, as a Hugging Face folder.

    The learning rates rise over 5 % of the steps, then fall linearly to 2 % of their peak.
    """
    torch.set_num_threads(1)
    texts = _draw_texts(settings, settings.steps * settings.batch_size)
    tokenizer = train_tokenizer(
        ("\n".join(pair) for pair in islice(texts, TOKENIZER_PROBLEMS)), settings.vocabulary_size
    )
    rows = [
        (prompt_token_ids(tokenizer, problem, ""), completion_token_ids(tokenizer, solution, finished=True))
        for problem, solution in texts
    ]
    model = build_model(settings, len(tokenizer), tokenizer.pad_token_id, tokenizer.eos_token_id)
    optimizers = _optimizers(model, settings)
    warmup = max(1, round(0.05 * settings.steps))

    def scale(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        return 1 - 0.98 * (step - warmup) / max(1, settings.steps - warmup)

    schedules = [torch.optim.lr_scheduler.LambdaLR(optimizer, scale) for optimizer in optimizers]
    pad = tokenizer.pad_token_id

    def backward(rows: Sequence[Row], batch: Sequence[Row]) -> float:
        tokens, labels = _collate(rows, pad)
        in_batch = torch.tensor(sum(len(completion) for _, completion in batch))
        loss = model(input_ids=tokens, labels=labels, num_items_in_batch=in_batch).loss
        loss.backward()
        return loss.item()

    batches = _batches(rows, settings)
    with half_batches(model, batches, backward) as backward_of_batch:
        for step in range(len(batches)):
            loss = backward_of_batch(step)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for optimizer, schedule in zip(optimizers, schedules, strict=True):
                optimizer.step()
                schedule.step()
                optimizer.zero_grad()
            if step % 25 == 0 or step == settings.steps - 1:
                print(f"pre-training step {step + 1} of {settings.steps}: loss {loss:.4f}")
    with atomic_folder(folder) as partial:
        model.save_pretrained(partial)
        tokenizer.save_pretrained(partial)
