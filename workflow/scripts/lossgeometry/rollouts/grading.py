"""Grading of completions: rollouts become the data set, answers become the evaluation."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pandas as pd

from lossgeometry.atomic import atomic_file
from lossgeometry.evaluation.grading import Answer, grade
from lossgeometry.job import InputError
from lossgeometry.jsonl import read_lines, write_atomic

COLUMNS = ["prompt_id", "sample", "completion", "n_tokens", "finish_reason", "extracted", "reward", "verdict"]


def _graded(completions: list[Path], golds: dict[str, str], workers: int, deadline_seconds: float) -> Iterator[dict]:
    """Yield the rows of the files with `extracted`, `correct` and `verdict` added."""

    def rows() -> Iterator[dict]:
        return chain.from_iterable(read_lines(path) for path in completions)

    answers = (Answer(golds[row["problem_id"]], row["completion"], row["finish_reason"]) for row in rows())
    for row, verdict in zip(rows(), grade(answers, workers, deadline_seconds), strict=True):
        yield {**row, "extracted": verdict.extracted, "correct": verdict.correct, "verdict": verdict.verdict}


def grade_answers(completions: Path, prompts: Path, workers: int, deadline_seconds: float, output: Path) -> None:
    """Write one graded line per completion."""
    golds = {row["id"]: row["answer"] for row in read_lines(prompts)}
    write_atomic(output, _graded([completions], golds, workers, deadline_seconds))


def grade_rollouts(
    prompts: list[Path],
    shards: list[Path],
    workers: int,
    deadline_seconds: float,
    rollouts: Path,
    heldout: Path,
    summary: Path,
) -> None:
    """Write the graded rollouts of the training prompts, the correct ones of the held-out prompts, and a summary of both.

    Parameters
    ----------
    prompts
        The training and the held-out problems.
    rollouts
        Parquet, ordered by prompt and sample: `COLUMNS`, with reward 1.0 or 0.0.
    heldout
        JSONL of the first correct completion of each held-out problem: {"id", "problem", "answer", "completion"}.
    summary
        CSV: what the geometry must be read against (share correct, share of mixed groups, truncation, tokens).
    """
    train, held = (list(read_lines(path)) for path in prompts)
    golds = {row["id"]: row["answer"] for row in train + held}
    frame = pd.DataFrame(_graded(shards, golds, workers, deadline_seconds))
    if frame.empty:
        raise InputError("the teacher wrote no completions; check the log of generate_rollouts and the prompts' count")
    position = {row["id"]: index for index, row in enumerate(train + held)}
    frame = frame.rename(columns={"problem_id": "prompt_id"}).assign(reward=frame.correct.astype(float))
    frame["position"] = frame.prompt_id.map(position)
    frame = frame.sort_values(["position", "sample"], kind="stable").reset_index(drop=True)
    trained = frame[frame.position < len(train)]
    with atomic_file(rollouts) as path:
        trained[COLUMNS].to_parquet(path, index=False)
    first = frame[(frame.position >= len(train)) & frame.correct].drop_duplicates("prompt_id").set_index("prompt_id")
    write_atomic(heldout, ({**row, "completion": first.completion[row["id"]]} for row in held if row["id"] in first.index))
    table = summarise(trained)
    with atomic_file(summary) as path:
        table.to_csv(path, index=False, lineterminator="\n", float_format="%.6g")
    print(table.to_string(index=False))


def summarise(rollouts: pd.DataFrame) -> pd.DataFrame:
    """Return one row that describes a set of rollouts. A group is the completions of one prompt; it is mixed if its rewards
    differ."""
    groups = rollouts.groupby("prompt_id").reward.mean()
    return pd.DataFrame(
        [
            {
                "prompts": len(groups),
                "rollouts": len(rollouts),
                "correct": rollouts.reward.mean(),
                "groups_mixed": ((groups > 0) & (groups < 1)).mean(),
                "groups_all_correct": (groups == 1).mean(),
                "groups_all_wrong": (groups == 0).mean(),
                "truncated": (rollouts.finish_reason == "length").mean(),
                "no_answer": (rollouts.verdict == "no_answer").mean(),
                "tokens": int(rollouts.n_tokens.sum()),
                "tokens_mean": rollouts.n_tokens.mean(),
                "tokens_mean_correct": rollouts.n_tokens[rollouts.reward > 0].mean(),
                "tokens_mean_wrong": rollouts.n_tokens[rollouts.reward <= 0].mean(),
            }
        ]
    )
