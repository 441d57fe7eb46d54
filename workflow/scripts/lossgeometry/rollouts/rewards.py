"""Grading of completions: rollouts become the data set, answers become the evaluation."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pandas as pd
import pyarrow as pa

from lossgeometry.errors import InputError
from lossgeometry.files.csv_rows import write_frame
from lossgeometry.files.jsonl import read_at, read_lines, read_positions, write_atomic
from lossgeometry.files.parquet import growing_parquet
from lossgeometry.files.text import well_formed
from lossgeometry.grading.grader import Answer, grade
from lossgeometry.grading.graders import DEFAULT
from lossgeometry.rollouts.bought import COLUMNS, Bought

ROLLOUTS = pa.schema(
    [
        ("prompt_id", pa.string()),
        ("sample", pa.int64()),
        ("completion", pa.string()),
        ("n_tokens", pa.int64()),
        ("finish_reason", pa.string()),
        ("extracted", pa.string()),
        ("reward", pa.float64()),
        ("verdict", pa.string()),
    ]
)
DESCRIBED = ("prompt_id", "n_tokens", "finish_reason", "reward", "verdict")
"""What the summary needs of each rollout; completions stay out of memory."""
GROUP_ROWS, GROUP_CHARACTERS = 4096, 1 << 25
"""A row group of the parquet ends at whichever comes first."""


def _graded(
    rows: Callable[[], Iterator[dict]], golds: dict[str, str], workers: int, deadline_seconds: float, grader: str
) -> Iterator[dict]:
    """Yield the rows with `extracted`, `correct` and `verdict` added; `rows` is called twice and read side by side."""
    answers = (Answer(golds[row["problem_id"]], row["completion"], row["finish_reason"]) for row in rows())
    for row, verdict in zip(rows(), grade(answers, workers, deadline_seconds, grader), strict=True):
        yield {**row, "extracted": verdict.extracted, "correct": verdict.correct, "verdict": verdict.verdict}


def grade_answers(
    completions: Path, prompts: Path, workers: int, deadline_seconds: float, output: Path, grader: str = DEFAULT
) -> None:
    """Write one graded line per completion."""
    golds = {row["id"]: row["answer"] for row in read_lines(prompts)}
    write_atomic(output, _graded(lambda: read_lines(completions), golds, workers, deadline_seconds, grader))


def grade_rollouts(
    prompts: Path,
    shards: list[Path],
    workers: int,
    deadline_seconds: float,
    rollouts: Path,
    summary: Path,
    bought: Bought,
    grader: str = DEFAULT,
) -> None:
    """Write the graded rollouts of the training prompts, and a summary of them.

    Requests that an endpoint left without a completion are left out and counted.

    Completions are never all in memory: they are read where they lie, in the order of the prompts, and written in row groups.

    Parameters
    ----------
    prompts
        The training problems; completions of other problems are left alone.
    rollouts
        Parquet, ordered by prompt and sample, with the columns of `ROLLOUTS`, and from an endpoint those of `COLUMNS`; reward
        is 1.0 or 0.0. Text that is no Unicode (lone surrogates) is repaired.
    summary
        CSV: what the geometry must be read against (share correct, share of mixed groups, truncation, tokens).
    bought
        Counts what an endpoint answered.

    Raises
    ------
    InputError
        If the training prompts have no completion, or too many requests have none.
    """
    problems = list(read_lines(prompts))
    rows = _completions(problems, shards, bought)
    if next(rows(), None) is None:
        raise InputError(
            "the teacher wrote no completions for the training prompts; check the log of generate_rollouts and the prompts' count"
        )
    golds = {row["id"]: row["answer"] for row in problems}
    schema = pa.schema([*ROLLOUTS, *COLUMNS]) if bought.told else ROLLOUTS
    described: list[dict] = []
    with growing_parquet(rollouts, schema, "snappy") as parquet:
        group, characters = [], 0
        for row in _graded(rows, golds, workers, deadline_seconds, grader):
            rollout = _rollout(row) | {name: row[name] for name in schema.names[len(ROLLOUTS) :]}
            described.append({name: rollout[name] for name in DESCRIBED} | _identity(rollout["completion"]))
            group.append(rollout)
            characters += len(rollout["completion"])
            if len(group) == GROUP_ROWS or characters > GROUP_CHARACTERS:
                parquet.write_batch(pa.RecordBatch.from_pylist(group, schema))
                group, characters = [], 0
        parquet.write_batch(pa.RecordBatch.from_pylist(group, schema))
    table = summarise(pd.DataFrame(described)).assign(**bought.columns())
    write_frame(summary, table, digits=6)
    print(table.to_string(index=False))


def grade_heldout(
    prompts: Path,
    shard: Path,
    workers: int,
    deadline_seconds: float,
    output: Path,
    bought: Bought,
    grader: str = DEFAULT,
) -> None:
    """Write the first correct completion of each held-out problem, as JSONL of {"id", "problem", "answer", "completion"}.

    Raises
    ------
    InputError
        If an endpoint left too many requests without a completion.
    """
    problems = list(read_lines(prompts))
    golds = {row["id"]: row["answer"] for row in problems}
    solutions: dict[str, str] = {}
    for row in _graded(_completions(problems, [shard], bought), golds, workers, deadline_seconds, grader):
        if row["correct"]:
            solutions.setdefault(row["problem_id"], well_formed(row["completion"]))
    write_atomic(output, ({**row, "completion": solutions[row["id"]]} for row in problems if row["id"] in solutions))
    print(f"{len(solutions)} of {len(problems)} held-out problems have a solution")


def _completions(problems: list[dict], shards: list[Path], bought: Bought) -> Callable[[], Iterator[dict]]:
    """Return a function that reads the completions of these problems where they lie, in the order of problem and sample."""
    order = {row["id"]: index for index, row in enumerate(problems)}
    places = sorted(
        (order[row["problem_id"]], row["sample"], shard, start)
        for shard, path in enumerate(shards)
        for start, row in read_positions(path)
        if row["problem_id"] in order and bought.has_completion(row)
    )
    bought.check()

    def rows() -> Iterator[dict]:
        with ExitStack() as stack:
            files = [stack.enter_context(open(path, "rb")) for path in shards]
            for _, _, shard, start in places:
                yield read_at(files[shard], start)

    return rows


def _rollout(row: dict) -> dict:
    """Return a graded row as a row of the data set."""
    return {
        "prompt_id": row["problem_id"],
        "sample": row["sample"],
        "completion": well_formed(row["completion"]),
        "n_tokens": row["n_tokens"],
        "finish_reason": row["finish_reason"],
        "extracted": None if row["extracted"] is None else well_formed(row["extracted"]),
        "reward": float(row["correct"]),
        "verdict": row["verdict"],
    }


def _identity(completion: str) -> dict:
    """Return what tells empty and repeated completions, without the text."""
    return {"empty": not completion.strip(), "text": hashlib.sha256(completion.encode()).digest()}


def summarise(rollouts: pd.DataFrame) -> pd.DataFrame:
    """Return one row that describes a set of rollouts. A group is the completions of one prompt; it is mixed if its rewards
    differ. A duplicate repeats an earlier completion of its prompt to the letter."""
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
                "empty": int(rollouts["empty"].sum()),
                "duplicates": int(rollouts.duplicated(["prompt_id", "text"]).sum()),
            }
        ]
    )
