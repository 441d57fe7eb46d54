"""What the jobs of this stage do: one load of the base, then the answers of both models through both."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from lossgeometry.behaviour import texts as texts_of
from lossgeometry.behaviour.answers import Answer, first_answers, passages, written_solutions
from lossgeometry.behaviour.divergence import MEASURES, divergences
from lossgeometry.files.parquet import write_parquet
from lossgeometry.forward.adapted_model import attached, load_base
from lossgeometry.forward.losses import check_losses
from lossgeometry.settings.tasks import Divergences
from lossgeometry.updates.peft import Adapter


def measure_behaviour(
    student: str | Path,
    adapters: Sequence[Adapter],
    p: Sequence[float],
    q: Sequence[float],
    texts: Mapping[str, str | Path],
    prompts: str | Path,
    task: Divergences,
    other: str | Path | None = None,
) -> pd.DataFrame:
    """Return what parts two points in the span of some updates, token by token.

    Parameters
    ----------
    student
        Folder of the base model.
    adapters
        The updates; none compares the base with itself, which is the floor of the measurement.
    p, q
        The weights of the updates at the two points.
    texts
        By name, the graded answers to measure on.
    prompts
        The problems that were answered.
    task
        Which answers, and how the base runs.
    other
        What is measured too, as the text `other`: passages where the task has `passage_tokens`, else problems with their
        solutions.

    Returns
    -------
    One row per token: text, problem_id, correct (of the whole answer), position (from 0), tokens (of the whole answer),
    and `divergence.MEASURES`, float64, in nats.
    """
    model, tokenizer = _base(student, task.precision)
    with attached(model, adapters) as span:
        frames = []
        told = {
            text: first_answers(path, prompts, task.decoding, task.problems, tokenizer, task.prompt_suffix)
            for text, path in texts.items()
        }
        if other:
            told[texts_of.OTHER] = (
                passages(other, task.problems, tokenizer, task.passage_tokens)
                if task.passage_tokens
                else written_solutions(other, task.problems, tokenizer, task.prompt_suffix)
            )
        for text, answers in told.items():
            sequences = [answer.sequence for answer in answers]
            check_losses(model, span, sequences)
            measured = divergences(model, span, p, q, sequences, task.tokens_per_batch)
            frames += [_rows(text, answer, values) for answer, values in zip(answers, measured, strict=True)]
    return pd.concat(frames, ignore_index=True)


_base = lru_cache(maxsize=1)(load_base)
"""One load for all pairs of a job."""


def measure_run(
    student: str | Path,
    adapter: Adapter | None,
    texts: Mapping,
    prompts: str | Path,
    task: Divergences,
    other: str | Path | None = None,
) -> pd.DataFrame:
    """Return what `measure_behaviour` does for the base, p, and an update of it, q; None is the base itself."""
    adapters = [] if adapter is None else [adapter]
    zero, one = ([weight] * len(adapters) for weight in (0.0, 1.0))
    return measure_behaviour(student, adapters, zero, one, texts, prompts, task, other)


def measure_pair(
    student: str | Path, a: Adapter, b: Adapter, texts: Mapping, prompts: str | Path, task: Divergences
) -> pd.DataFrame:
    """Return what `measure_behaviour` does for two updates, p and q."""
    return measure_behaviour(student, [a, b], [1.0, 0.0], [0.0, 1.0], texts, prompts, task)


def _rows(text: str, answer: Answer, values: np.ndarray) -> pd.DataFrame:
    tokens = len(values)
    told = {"text": text, "problem_id": answer.sequence.id, "correct": answer.correct}
    return pd.DataFrame(
        {**told, "position": np.arange(tokens), "tokens": tokens, **dict(zip(MEASURES, values.T, strict=True))}
    )


def write_tokens(path: str | Path, tokens: pd.DataFrame) -> None:
    """Write what was measured as parquet."""
    write_parquet(path, pa.Table.from_pandas(tokens, preserve_index=False).replace_schema_metadata())
