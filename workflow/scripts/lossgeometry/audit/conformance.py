"""Does another trainer compute the loss that it names? One plain SGD step of it against our gradient, and against usual mistakes.

From B = 0, a step of plain SGD with rate 1 leaves A alone and gives B minus the gradient. Every row of the fixed batch has three
gradients: of its completion without the end token, of the end token, and of its prompt. Right or wrong, a token-level loss is a
weighted sum of these, so that the inner products of the rows' gradients, with each other and with the step, tell how near each
way to weigh them comes.
"""

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from peft import PeftModel

from lossgeometry.audit.coefficients import coefficients, is_paired
from lossgeometry.audit.fixed_batch import BatchRow, read_batch
from lossgeometry.audit.gradients import GroupSums, add_gradients, row_log_probs
from lossgeometry.errors import InputError
from lossgeometry.forward.adapted_model import load_base
from lossgeometry.forward.sequences import TokenSequence
from lossgeometry.methods import method_module
from lossgeometry.settings.training import Training
from lossgeometry.training.training_job import TrainingJob
from lossgeometry.updates.peft import Adapter

AS_NAMED = "the loss as it is named"
SAME_COSINE, SAME_NORM = 1e-4, 1e-3
"""Largest distance from 1 of the cosine and of the ratio of norms that count as rounding."""
PARTS = ("body", "end", "prompt")
TOKENS_PER_BATCH = 4096


class Likeness(NamedTuple):
    """A trainer's step beside one way to compute the loss."""

    computed: str
    """What is computed: `AS_NAMED`, or a usual mistake."""
    cosine: float
    norm_ratio: float
    """Norm of the step over that of the gradient."""

    @property
    def same(self) -> bool:
        """Whether the two are equal but for rounding."""
        return abs(self.cosine - 1) <= SAME_COSINE and abs(self.norm_ratio - 1) <= SAME_NORM


def compare_step(adapter: Path, batch: Path, student: Path, method: str) -> list[Likeness]:
    """Return how near a trainer's step comes to the loss as it is named, first, and to usual mistakes, the nearest first.

    Raises
    ------
    InputError
        If there is no such method, the batch is another student's, or the adapter has other modules or another A than its
        initialisation.
    """
    if find_spec(f"lossgeometry.methods.{method}") is None or not method_module(method).OFFLINE:
        raise InputError(f"there is no offline method {method}; give METHOD the name of a file of lossgeometry/methods")
    base, tokenizer = load_base(student, "float32")
    rows = read_batch(batch, tokenizer)
    model = PeftModel.from_pretrained(base, batch / "initialisation", is_trainable=True).eval()
    sequences = [TokenSequence(row.prompt_id, tuple(row.prompt_ids[:1]), _rest(row)) for row in rows]
    sums = GroupSums(model, len(PARTS) * len(rows))
    add_gradients(model, sums, sequences, _parts(model, rows, batch, method), TOKENS_PER_BATCH)
    step = _step(adapter, batch / "initialisation", sums)
    grams = [part.double().flatten(1) for part in sums.b.values()]
    gram = sum(part @ part.T for part in grams).cpu().numpy()
    along = -sum(part.cpu() @ moved for part, moved in zip(grams, step, strict=True)).numpy()
    size = float(np.sqrt(sum(float(moved @ moved) for moved in step)))
    if size == 0:
        raise InputError(f"{adapter} is its initialisation: the trainer took no step")
    found = [
        _likeness(name, weights.reshape(-1), gram, along, size) for name, weights in _ways(rows, method_module(method))
    ]
    return [found[0], *sorted(found[1:], key=lambda one: (not one.same, -one.cosine))]


def _rest(row: BatchRow) -> tuple[int, ...]:
    return tuple(row.prompt_ids[1:] + row.completion_ids)


def _parts(model, rows: Sequence[BatchRow], batch: Path, method: str) -> list[list[tuple[int, torch.Tensor]]]:
    """Return what the method asks of the tokens of every row, in one group each for body, end token and prompt.

    The prompt is asked what the completion is on average: the mistake is to train it as if it were a part of the completion.
    """
    frame = pd.DataFrame(
        [(row.prompt_id, row.sample, row.completion, row.finish_reason, row.reward) for row in rows],
        columns=["prompt_id", "sample", "completion", "finish_reason", "reward"],
    )
    whole = [TokenSequence(row.prompt_id, tuple(row.prompt_ids), tuple(row.completion_ids)) for row in rows]
    known = dict(zip(frame.index, row_log_probs(model, whole, TOKENS_PER_BATCH), strict=True))
    module = method_module(method)
    asked = coefficients(module, module.Options(), _job(batch, method), frame, known, known).of_rows
    found = []
    for place, row in enumerate(rows):
        values = asked.get(place, torch.zeros(len(row.completion_ids), dtype=torch.float64))
        empty = torch.zeros(len(row.prompt_ids) - 1 + len(values), dtype=torch.float64)
        body, end, prompt = empty.clone(), empty.clone(), empty.clone()
        ends = row.finish_reason != "length"
        body[len(row.prompt_ids) - 1 : len(empty) - ends] = values[: len(values) - ends]
        end[len(empty) - ends :] = values[len(values) - ends :]
        prompt[: len(row.prompt_ids) - 1] = values.mean()
        parts = enumerate((body, end, prompt))
        found.append([(len(PARTS) * place + number, part) for number, part in parts if part.any()])
    return found


def _job(batch: Path, method: str) -> TrainingJob:
    return TrainingJob(
        run=f"The batch for {method}",
        learning_rate=0.0,
        order_seed=0,
        training=Training(),
        prompt_suffix="",
        student=batch,
        initialisation=batch,
        prompts={},
        rollouts=None,
        output=batch,
        checkpoints=batch,
        digest="",
    )


def _step(adapter: Path, start: Path, sums: GroupSums) -> list[torch.Tensor]:
    """Return what the trainer added to every B, flat."""
    moved, before = Adapter(adapter), Adapter(start)
    if set(moved.modules) != set(sums.b):
        raise InputError(f"{adapter} adapts other modules than the batch's initialisation; start the trainer from that")
    for module in sums.b:
        a, first = moved.factors(module).a, before.factors(module).a
        if a.shape != first.shape or not np.allclose(a, first, atol=1e-6 * np.abs(first).max()):
            raise InputError(
                f"{adapter}: A of {module} is not that of the initialisation, which one plain SGD step from B = 0 leaves alone;"
                " start from the batch's initialisation and take one step without weight decay"
            )
    return [torch.from_numpy(moved.factors(module).b - before.factors(module).b).flatten() for module in sums.b]


def _likeness(name: str, weights: np.ndarray, gram: np.ndarray, along: np.ndarray, size: float) -> Likeness:
    norm = float(np.sqrt(weights @ gram @ weights))
    if norm == 0:
        return Likeness(name, np.nan, np.nan)
    return Likeness(name, float(weights @ along) / (norm * size), size / norm)


def _ways(rows: Sequence[BatchRow], method) -> Iterator[tuple[str, np.ndarray]]:
    """Yield ways to weigh the rows' gradients, (rows, 3) over `PARTS`: the right one first, then usual mistakes."""
    lengths = np.array([len(row.completion_ids) for row in rows], float)
    prompts = np.array([len(row.prompt_ids) - 1 for row in rows], float)
    ends = np.array([row.finish_reason != "length" for row in rows], float)
    number = len(rows)
    paired = is_paired(method)
    pairs = len({row.prompt_id for row in rows})
    # The pairs stand first, and rows after them are in none.
    units, unit = (pairs, 2) if paired else (number, 1)

    def of(scale: np.ndarray | float, end: float = 1.0, prompt: float = 0.0) -> np.ndarray:
        return np.stack([np.ones(number), np.full(number, end), np.full(number, prompt)], axis=1) * np.reshape(
            np.broadcast_to(scale, number), (-1, 1)
        )

    right = np.full(number, 1 / pairs if paired else 1 / lengths.sum())
    yield AS_NAMED, of(right)
    for size in [size for size in (1, 2, 4, 8, 16) if size < units and units % size == 0]:
        parts = np.arange(number) // (unit * size)
        named = f"micro-batches of {size} {'pairs' if paired else 'rows'}"
        means = np.array([lengths[parts == part].sum() for part in parts])
        if not paired:
            yield f"mean of the means of {named}", of(size / units / means)
        for which, part in (("first", 0), ("last", units // size - 1)):
            kept = parts != part
            yield f"the {which} of {named} is dropped", of(kept / (units - size if paired else lengths[kept].sum()))
            yield f"the {which} of {named} is dropped, and counted", of(kept * right)
            yield f"the {which} of {named} alone", of(~kept / (size if paired else lengths[~kept].sum()))
        yield f"the sum over {named}, each a mean of its own", of(1 / size if paired else 1 / means)
    yield (
        "length-normalised: the mean over the tokens of every completion",
        of(right / lengths if paired else 1 / (number * lengths)),
    )
    yield "end token untrained", of(right if paired else 1 / (lengths - ends).sum(), end=0.0)
    yield "prompt trained", of(right if paired else 1 / (lengths + prompts).sum(), prompt=1.0)
    rewards = pd.Series([row.reward for row in rows])
    spread = rewards.groupby([row.prompt_id for row in rows]).transform(lambda group: group.std(ddof=0)).to_numpy()
    if not paired and (spread > 0).all():
        yield "advantages over the standard deviation of their group", of(right / spread)
    yield "the sum over the batch, not its mean", of(1.0)


def in_words(found: Sequence[Likeness], method: str) -> str:
    """Return what the comparison says."""
    named = found[0]
    numbers = f"cosine {named.cosine:.6f}, ratio of norms {named.norm_ratio:.6f}"
    if named.same:
        return f"The step is that of {method}: {numbers}."
    like = [one.computed for one in found[1:] if one.same]
    if like:
        return f"The step is not that of {method} ({numbers}). It is what this mistake gives: {'; or '.join(like)}."
    near = ", ".join(f"{one.computed} {one.cosine:.4f} (norm {one.norm_ratio:.4f})" for one in found[1:4])
    if abs(named.cosine - 1) <= SAME_COSINE:
        return (
            f"The step has the direction of {method} and another size ({numbers}): check learning rate, clipping and what sums"
            " are divided by."
        )
    return f"The step is not that of {method} ({numbers}), nor of a mistake known here; nearest in direction: {near}."
