"""Rollouts that the user brings: the problems, and the completions, of a file."""

import random
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from transformers import AutoTokenizer

from lossgeometry.errors import InputError
from lossgeometry.files.jsonl import read_lines, write_atomic
from lossgeometry.files.text import well_formed
from lossgeometry.generation.templating import completion_token_ids
from lossgeometry.problems.datasets import distinct_problems
from lossgeometry.settings.tasks import ImportedRollouts

REQUIRED = ("problem", "answer", "completion")
OPTIONAL = ("sample", "finish_reason")


def import_rollouts(
    task: ImportedRollouts, file: Path, student: Path, workers: int, train: Path, heldout: Path, completions: Path
) -> None:
    """Write the prompts and the completions of a file in the form of sampled ones.

    Problems whose gold answer cannot be graded are left out with their completions. What verdict the file gives is not
    looked at: completions are graded as sampled ones are.

    Parameters
    ----------
    task
        How many problems are set apart, and which ones.
    file
        JSONL, or parquet by its name's ending; see `read_rows`.
    student
        Model folder whose tokenizer counts the tokens.
    workers
        Processes that check gold answers.
    train, heldout, completions
        JSONL to write.

    Raises
    ------
    InputError
        If the file lacks a column, contradicts itself, or has too few problems.
    """
    answers = _answers(file)
    rows = ({"problem": problem, "answer": answer} for problem, answer in answers.items())
    problems = distinct_problems("plain", rows, workers, task.deadline_seconds, str(file))
    count = task.heldout_prompts
    if len(problems) <= count:
        raise InputError(
            f"{file} has {len(problems)} usable problems, and rollouts.heldout_prompts sets {count} apart; lower that number"
        )
    apart = set(random.Random(task.seed).sample(range(len(problems)), count))
    write_atomic(train, (row for index, row in enumerate(problems) if index not in apart))
    write_atomic(heldout, (row for index, row in enumerate(problems) if index in apart))
    ids = {row["problem"]: row["id"] for row in problems}
    written = write_atomic(completions, _completions(file, ids, AutoTokenizer.from_pretrained(student)))
    print(f"{written} completions of {len(problems)} problems, {count} of them held out")


def read_rows(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (row number from 1, row) of a file of rollouts, with text repaired and answers as text.

    A row has `problem`, `answer` and `completion`, and may have `sample` (the number of the completion of its problem) and
    `finish_reason` (`stop`, or `length` if the completion was cut).

    Raises
    ------
    InputError
        Naming the file, the row and what is wrong with it.
    """
    rows = _parquet_rows(file) if file.suffix == ".parquet" else read_lines(file)
    try:
        for number, row in enumerate(rows, start=1):
            yield number, _checked(row, f"{file}, row {number}")
    except (pa.ArrowInvalid, ValueError) as error:
        raise InputError(f"cannot read {file} as {file.suffix.lstrip('.') or 'JSONL'} ({error})") from None


def _parquet_rows(file: Path) -> Iterator[dict[str, Any]]:
    with pq.ParquetFile(file) as parquet:
        columns = [name for name in (*REQUIRED, *OPTIONAL) if name in parquet.schema_arrow.names]
        for batch in parquet.iter_batches(batch_size=256, columns=columns):
            yield from batch.to_pylist()


def _checked(row: dict[str, Any], where: str) -> dict[str, Any]:
    for name in REQUIRED:
        if row.get(name) is None:
            raise InputError(f"{where}, has no {name}; every row needs {', '.join(REQUIRED)}")
    for name in ("problem", "completion"):
        if not isinstance(row[name], str):
            raise InputError(f"{where}: {name} is {type(row[name]).__name__}, not text; write it as a string")
    reason = row.get("finish_reason") or "stop"
    if reason not in ("stop", "length"):
        raise InputError(
            f"{where}: finish_reason is {str(reason)[:40]!r}; use stop, or length for a completion that was cut"
        )
    sample = row.get("sample")
    if sample is not None and not (isinstance(sample, int) and sample >= 0):
        raise InputError(f"{where}: sample is {str(sample)[:40]!r}; use whole numbers from 0, or leave the column out")
    return {
        "problem": well_formed(row["problem"]).strip(),
        "answer": well_formed(str(row["answer"])).strip(),
        "completion": well_formed(row["completion"]),
        "sample": sample,
        "finish_reason": reason,
    }


def _answers(file: Path) -> dict[str, str]:
    """Return the gold answer of each distinct problem, in the order of the file."""
    answers: dict[str, str] = {}
    for number, row in read_rows(file):
        if answers.setdefault(row["problem"], row["answer"]) != row["answer"]:
            raise InputError(
                f"{file}, row {number}: its answer differs from that of an earlier row with the same problem; make them agree"
            )
    return answers


def _completions(file: Path, ids: dict[str, str], tokenizer) -> Iterator[dict[str, Any]]:
    """Yield the completions of the usable problems as generation writes them; unnumbered ones get the next free number."""
    taken: dict[str, set[int]] = defaultdict(set)
    for number, row in read_rows(file):
        name = ids.get(row["problem"])
        if name is None:
            continue
        sample = len(taken[name]) if row["sample"] is None else row["sample"]
        if sample in taken[name]:
            raise InputError(f"{file}, row {number}: sample {sample} of this problem appears twice; number them apart")
        taken[name].add(sample)
        finished = row["finish_reason"] == "stop"
        yield {
            "problem_id": name,
            "sample": sample,
            "decoding": "sampled",
            "seed": 0,
            "completion": row["completion"],
            "finish_reason": row["finish_reason"],
            "n_tokens": len(completion_token_ids(tokenizer, row["completion"], finished)),
        }
