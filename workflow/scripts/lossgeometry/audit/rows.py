"""The rollouts that are audited: tokenised, told apart, and put into folds of prompts."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

from lossgeometry.errors import InputError
from lossgeometry.forward.sequences import TokenSequence
from lossgeometry.training.examples import read_rollouts
from lossgeometry.training.tokens import with_tokens
from lossgeometry.training.training_job import TrainingJob


@dataclass(frozen=True)
class Rows:
    """Rollouts; those with equal tokens share one sequence, and so one pass through the model."""

    frame: pd.DataFrame
    """The rollouts that are not longer than `max_length`; their index labels them."""
    sequences: list[TokenSequence]
    """Every distinct one once."""
    sequence_of: dict[Any, int]
    """Place in `sequences` of every rollout."""
    fold_of: dict[Any, int]
    """Fold of every rollout, which is its prompt's."""
    sizes: np.ndarray
    """(folds,): prompts in each, float64."""

    def by_label(self, values: Sequence[torch.Tensor]) -> dict[Any, torch.Tensor]:
        """Return the values of the sequences for every rollout."""
        return {label: values[place] for label, place in self.sequence_of.items()}


def in_order(names: Iterable[str]) -> list[str]:
    """Return prompts in the order of a hash of their ids."""
    return sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())


def rows_of(job: TrainingJob, prompts: int, folds: int) -> Rows:
    """Return the rollouts of a job, of so many prompts at most (0 for all), which are dealt to the folds in turns.

    Raises
    ------
    InputError
        If all are too long, or there are too few prompts for the folds.
    """
    frame = read_rollouts(job)
    names = in_order(frame.prompt_id.unique())[: prompts or None]
    frame = frame[frame.prompt_id.isin(names)]
    places: dict[tuple[str, tuple[int, ...]], int] = {}
    sequences: list[TokenSequence] = []
    sequence_of: dict[Any, int] = {}
    for row in with_tokens(frame, job).itertuples():
        prompt, completion = tuple(row.prompt_ids.tolist()), tuple(row.completion_ids.tolist())
        if len(prompt) + len(completion) > job.training.max_length:
            continue
        place = places.setdefault((row.prompt_id, completion), len(sequences))
        if place == len(sequences):
            sequences.append(TokenSequence(f"{row.prompt_id}/{row.sample}", prompt, completion))
        sequence_of[row.Index] = place
    job.skip(f"longer than max_length {job.training.max_length}", len(frame) - len(sequence_of))
    job.require(len(sequences), f"all rows are longer than training.max_length {job.training.max_length}; raise it")
    kept = frame.loc[list(sequence_of)]
    folds_by_name = {name: place % folds for place, name in enumerate(in_order(kept.prompt_id.unique()))}
    sizes = np.bincount(list(folds_by_name.values()), minlength=folds).astype(np.float64)
    if sizes.min() < 2:
        raise InputError(
            f"audit.folds: {len(folds_by_name)} prompts are too few for {folds} folds of at least two; lower it"
        )
    fold_of = {label: folds_by_name[name] for label, name in kept.prompt_id.items()}
    return Rows(kept, sequences, sequence_of, fold_of, sizes)
