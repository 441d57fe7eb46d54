"""What the extraction job does: the fixed tokens of the experiment through one model."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import torch

from lossgeometry.forward.adapted_model import attached, load_base
from lossgeometry.forward.sequences import TokenSequence, at_least_two, boxed_answers, reference_solutions
from lossgeometry.representations.extraction import extract
from lossgeometry.settings.tasks import HiddenStates
from lossgeometry.updates.peft import Adapter


def collect(
    student: str | Path,
    adapter: Adapter | None,
    solutions: str | Path,
    problems: str | Path | None,
    task: HiddenStates,
    output: Path,
) -> None:
    """Write the hidden states of the base, or of the base with one update, on the fixed tokens of the experiment.

    Parameters
    ----------
    student
        Folder of the base model.
    adapter
        The update; None for the base.
    solutions
        Held-out reference solutions, as for `sequences.reference_solutions`.
    problems
        The benchmark whose prompts are taken; None takes none.
    task
        How many tokens and prompts, and how the base runs.
    output
        The safetensors file to write.
    """
    model, tokenizer = load_base(student, task.precision)
    found = reference_solutions(solutions, tokenizer, task.prompt_suffix)
    cut = (first_tokens(sequence, task.sequence_tokens) for sequence in found)
    sequences = at_least_two(list(until_enough_tokens(cut, task.tokens)), solutions)
    asked = (
        [] if problems is None else list(islice(boxed_answers(problems, tokenizer, task.prompt_suffix), task.prompts))
    )
    with attached(model, [] if adapter is None else [adapter]) as span:
        span.set_weights(torch.ones(1, int(adapter is not None), device=model.device))
        extract(model, sequences, asked, output, task.precision, task.prompt_pooling, task.tokens_per_batch)


def first_tokens(sequence: TokenSequence, tokens: int) -> TokenSequence:
    """Return a sequence cut to its first tokens."""
    return TokenSequence(
        sequence.id, sequence.prompt[:tokens], sequence.completion[: max(0, tokens - len(sequence.prompt))]
    )


def until_enough_tokens(sequences: Iterator[TokenSequence], tokens: int) -> Iterator[TokenSequence]:
    """Yield whole sequences until their tokens, without the first of each, reach a number."""
    total = 0
    for sequence in sequences:
        if total >= tokens:
            return
        total += len(sequence.tokens) - 1
        yield sequence
