"""From rollouts to tokenised rows."""

import numpy as np
import pandas as pd
from datasets import Dataset

from lossgeometry.rollouts.composing import compose
from lossgeometry.training.order import training_order
from lossgeometry.training.tokens import with_tokens
from lossgeometry.training.training_job import TrainingJob

IGNORED = -100


def read_rollouts(job: TrainingJob) -> pd.DataFrame:
    """Return the rollouts in the order of the file; see the artifact contract for the columns.

    Empty completions are left out and counted: there is nothing in them to imitate, and a mean over their tokens is undefined.
    In a control the rewards are permuted among the rollouts of each prompt, so that only which one is right is lost.

    Raises
    ------
    InputError
        If there are none.
    """
    rollouts = pd.read_parquet(job.rollouts)
    job.require(len(rollouts), "the rollouts are empty; check tables/rollouts.csv and the engine that sampled them")
    empty = rollouts.completion.str.strip() == ""
    job.skip("empty completions", int(empty.sum()))
    rollouts = rollouts[~empty]
    job.require(
        len(rollouts), "every completion is empty; check what the teacher answers, and rollouts.engine.reasoning"
    )
    if job.half:
        before = len(rollouts)
        rollouts = rollouts[rollouts.prompt_id.isin(job.prompts.keys())]
        job.skip("in the other half of the prompts", before - len(rollouts))
        job.require(len(rollouts), "there is no rollout in its half of the prompts; raise prompts.count")
    if job.composition is not None:
        before = len(rollouts)
        rollouts = compose(rollouts, job.composition)
        job.skip("not in the composition of this run", before - len(rollouts))
    if job.verdicts == "shuffled":
        draw = np.random.default_rng(job.order_seed)
        before = rollouts.reward
        shuffled = before.groupby(rollouts.prompt_id, sort=False).transform(draw.permutation)
        rollouts = rollouts.assign(reward=shuffled)
        job.count("rows whose verdict was shuffled to another", int((rollouts.reward != before).sum()))
    return rollouts


def labelled_rows(rows: pd.DataFrame, job: TrainingJob) -> Dataset:
    """Return (input_ids, labels, weight, reward, key) per rollout; the loss is on the completion's tokens only.

    Rows longer than `max_length` are left out and counted, never cut: a cut solution teaches to stop early.
    """
    records, too_long, truncated = [], 0, 0
    for row in with_tokens(rows, job).itertuples():
        prompt, completion = row.prompt_ids, row.completion_ids
        if len(prompt) + len(completion) > job.training.max_length:
            too_long += 1
            continue
        truncated += row.finish_reason == "length"
        records.append(
            {
                "input_ids": np.concatenate([prompt, completion]),
                "labels": np.concatenate([np.full_like(prompt, IGNORED), completion]),
                "weight": float(row.weight),
                "reward": float(row.reward),
                "key": f"{row.prompt_id}/{row.sample}",
            }
        )
    job.count("rows", len(records))
    job.count("rows cut by the token budget, which end without an end token", truncated)
    job.skip(f"longer than max_length {job.training.max_length}", too_long)
    job.require(len(records), f"all rows are longer than training.max_length {job.training.max_length}; raise it")
    return Dataset.from_list(records)


def in_training_order(rows: Dataset, job: TrainingJob) -> Dataset:
    """Return the rows as the run sees them, repeated over epochs: one sequential pass over it is the whole training."""
    return rows.select(training_order(rows["key"], job.row_count, job.order_seed))
