"""One fixed batch of rollouts, in the formats that trainers take: what a loss of another trainer is compared on."""

import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from lossgeometry.errors import InputError
from lossgeometry.files.jsonl import read_lines, write_atomic
from lossgeometry.generation.templating import completion_token_ids, prompt_text, prompt_token_ids
from lossgeometry.updates.folders import CONFIG_FILE, WEIGHTS_FILE

ROWS = "rows.jsonl"
HOW_TO = """A batch to train one step on, with any trainer, to see which loss it computes.

Start from the adapter in `initialisation/`, as it is. Take all rows as ONE optimiser batch, in whatever micro-batches and
processes: plain SGD, learning rate 1, no clipping, no weight decay, no dropout, float32, one step. Save the adapter, then:

    make conformance ADAPTER=<its folder> BATCH=<this folder> METHOD=sft

rows.jsonl        text, token ids and reward of every completion
tokens.jsonl      {"input_ids", "labels"}: labels are -100 on the prompt
text.jsonl        {"prompt", "completion"}: the prompt as the chat template writes it; the end token is not in the text
preference.jsonl  {"prompt", "chosen", "rejected"}, and the same as token ids: a right and a wrong completion of each prompt
"""


@dataclass(frozen=True)
class BatchRow:
    """One completion of the batch."""

    prompt_id: str
    sample: int
    problem: str
    suffix: str
    prompt: str
    completion: str
    finish_reason: str
    reward: float
    prompt_ids: list[int]
    completion_ids: list[int]


def write_batch(
    folder: Path, rollouts: Path, prompts: Path, initialisation: Path, tokenizer, suffix: str, pairs: int
) -> int:
    """Write the batch: of the first `pairs` prompts that have both, the first right and the first wrong rollout, and at its end two
    more right ones of every second prompt, where there are any, so that groups differ in their share of right ones. Return how
    many rows it has.

    Raises
    ------
    InputError
        If there are fewer such prompts.
    """
    frame = pd.read_parquet(rollouts)
    problems = {row["id"]: row["problem"] for row in read_lines(prompts)}
    both = [
        (group[group.reward > 0], group[group.reward <= 0])
        for _, group in frame.groupby("prompt_id", sort=False)
        if group.reward.max() > 0 >= group.reward.min()
    ][:pairs]
    if len(both) < pairs:
        raise InputError(f"{rollouts} has {len(both)} prompts with a right and a wrong rollout; a batch needs {pairs}")
    paired = [side.iloc[0] for sides in both for side in sides]
    more = [row for right, _ in both[::2] for _, row in right.iloc[1:3].iterrows()]
    chosen = [_row(row, problems[row.prompt_id], tokenizer, suffix) for row in (*paired, *more)]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "initialisation").mkdir(exist_ok=True)
    for file in (WEIGHTS_FILE, CONFIG_FILE):
        shutil.copy(initialisation / file, folder / "initialisation" / file)
    write_atomic(folder / ROWS, map(asdict, chosen))
    write_atomic(folder / "tokens.jsonl", map(_tokens, chosen))
    write_atomic(folder / "text.jsonl", ({"prompt": row.prompt, "completion": row.completion} for row in chosen))
    write_atomic(folder / "preference.jsonl", _preferences(chosen[: 2 * pairs]))
    (folder / "README.txt").write_text(HOW_TO, encoding="utf-8")
    return len(chosen)


def _row(rollout: pd.Series, problem: str, tokenizer, suffix: str) -> BatchRow:
    return BatchRow(
        prompt_id=str(rollout.prompt_id),
        sample=int(rollout["sample"]),
        problem=problem,
        suffix=suffix,
        prompt=prompt_text(tokenizer, problem, suffix),
        completion=rollout.completion,
        finish_reason=rollout.finish_reason,
        reward=float(rollout.reward),
        prompt_ids=prompt_token_ids(tokenizer, problem, suffix),
        completion_ids=completion_token_ids(tokenizer, rollout.completion, rollout.finish_reason != "length"),
    )


def _tokens(row: BatchRow) -> dict[str, list[int]]:
    return {
        "input_ids": row.prompt_ids + row.completion_ids,
        "labels": [-100] * len(row.prompt_ids) + row.completion_ids,
    }


def _preferences(rows: list[BatchRow]) -> Iterator[dict]:
    for right, wrong in zip(rows[::2], rows[1::2], strict=True):
        texts = {"prompt": right.prompt, "chosen": right.completion, "rejected": wrong.completion}
        yield texts | {
            "prompt_ids": right.prompt_ids,
            "chosen_ids": right.completion_ids,
            "rejected_ids": wrong.completion_ids,
        }


def read_batch(folder: Path, tokenizer) -> list[BatchRow]:
    """Return the rows of a batch.

    Raises
    ------
    InputError
        If there is no batch, or this tokenizer gives other tokens: it is another model's.
    """
    if not (folder / ROWS).is_file():
        raise InputError(f"{folder} holds no batch; write one with make conformance BATCH={folder}")
    rows = [BatchRow(**row) for row in read_lines(folder / ROWS)]
    for row in rows:
        ids = prompt_token_ids(tokenizer, row.problem, row.suffix)
        answer = completion_token_ids(tokenizer, row.completion, row.finish_reason != "length")
        if ids != row.prompt_ids or answer != row.completion_ids:
            raise InputError(
                f"{folder}: the student's tokenizer gives other tokens for {row.prompt_id}/{row.sample} than the batch holds;"
                " write the batch again for this student"
            )
    return rows
