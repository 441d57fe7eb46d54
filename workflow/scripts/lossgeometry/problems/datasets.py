"""Problems from the hub or from a file."""

import random
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from lossgeometry.errors import InputError
from lossgeometry.files.jsonl import read_lines
from lossgeometry.files.text import well_formed
from lossgeometry.grading.golds import usable_problems
from lossgeometry.grading.graders import DEFAULT
from lossgeometry.settings.models import Problems

REPEATED = "the problem appeared before"


def read_problems(problems: Problems, workers: int, deadline_seconds: float) -> list[dict[str, str]]:
    """Return the usable problems of a source as {"id", "problem", "answer"}, in the order of its seeded shuffle.

    Rows without a problem or a gradable gold answer, and repeated problems, are left out; how many is printed.

    Parameters
    ----------
    problems
        A block whose source is `hub` or `file`.
    workers, deadline_seconds
        Grading workers that check the gold answers, and what each answer may take.

    Raises
    ------
    InputError
        If the source cannot be read, lacks a column of its schema, or holds nothing usable.
    """
    rows = _hub_rows(problems) if problems.source == "hub" else _file_rows(problems.name)
    usable = distinct_problems(problems.schema_, rows, workers, deadline_seconds, problems.name, problems.grader)
    random.Random(problems.seed).shuffle(usable)
    return usable


def distinct_problems(
    schema: str,
    rows: Iterable[Mapping[str, Any]],
    workers: int,
    deadline_seconds: float,
    name: str,
    grader: str = DEFAULT,
) -> list[dict[str, str]]:
    """Return the usable problems of rows, each once, in their order; print what was dropped and why."""
    usable, dropped = usable_problems(schema, rows, workers, deadline_seconds, grader)
    total = len(usable) + dropped.total()
    distinct: dict[str, dict[str, str]] = {}
    for row in usable:
        row = {key: well_formed(value) for key, value in row.items()}
        distinct.setdefault(row["problem"], row)
    if len(distinct) < len(usable):
        dropped[REPEATED] = len(usable) - len(distinct)
    for reason, count in sorted(dropped.items()):
        print(f"{name}: dropped {count} of {total} rows: {reason}")
    if not distinct:
        raise InputError(f"{name} holds no usable problem; check its schema and its answers")
    return list(distinct.values())


def _file_rows(name: str) -> Iterator[dict[str, Any]]:
    try:
        yield from read_lines(name)
    except ValueError as error:
        raise InputError(str(error)) from None


def _hub_rows(problems: Problems) -> Iterable[Mapping[str, Any]]:
    """Return the rows of a hub dataset at its pinned revision; code that a dataset brings is never run."""
    from datasets import load_dataset

    try:
        return load_dataset(problems.name, problems.subset or None, split=problems.split, revision=problems.revision)
    except (OSError, ValueError) as error:
        # Datasets that do not exist, unknown subsets and splits, and a hub out of reach are all among these.
        what = " ".join(str(error).split())[:300]
        raise InputError(
            f"cannot load {problems.name} at {problems.revision[:12]} ({what}); "
            "check name, subset, split and revision, and that this machine reaches the hub"
        ) from None
