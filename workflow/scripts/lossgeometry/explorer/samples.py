"""A few training rollouts of every verdict.

They are hostile text: kept as they are, shown as text only.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from lossgeometry.files.jsonl import read_lines

PER_VERDICT = 3
LONGEST = 2000
COLUMNS = ("source", "set", "verdict", "problem_id", "problem", "answer", "completion", "extracted", "n_tokens", "cut")
"""`source` is `rollouts` or a run id, `set` the prompt set or benchmark; `cut` says that the completion was longer."""


def sample_rollouts(path: Path, problems: Mapping[str, Mapping[str, str]]) -> list[dict[str, Any]]:
    """Return the first rollouts of every verdict, of different prompts."""
    rows = pd.read_parquet(path).to_dict("records")
    return [_sample(row, "rollouts", "train", problems) for row in _first_of_each(rows, "prompt_id")]


def read_problems(path: Path) -> dict[str, dict[str, str]]:
    """Return the problems of a prompt file by their id."""
    return {row["id"]: row for row in read_lines(path)}


def _first_of_each(rows: Iterable[Mapping[str, Any]], key: str) -> list[Mapping[str, Any]]:
    """Return at most `PER_VERDICT` rows of every verdict, no two of one verdict from the same problem."""
    taken: dict[str, dict[str, Mapping[str, Any]]] = {}
    for row in rows:
        of_verdict = taken.setdefault(str(row["verdict"]), {})
        if len(of_verdict) < PER_VERDICT:
            of_verdict.setdefault(str(row[key]), row)
    return [row for verdict in sorted(taken) for row in taken[verdict].values()]


def _sample(
    row: Mapping[str, Any], source: str, name: str, problems: Mapping[str, Mapping[str, str]]
) -> dict[str, Any]:
    identity = str(row.get("prompt_id", row.get("problem_id")))
    problem = problems.get(identity, {})
    completion, extracted = str(row["completion"]), row["extracted"]
    return {
        "source": source,
        "set": name,
        "verdict": str(row["verdict"]),
        "problem_id": identity,
        "problem": problem.get("problem", "")[:LONGEST],
        "answer": problem.get("answer", "")[:LONGEST],
        "completion": completion[:LONGEST],
        "extracted": "" if extracted is None or extracted != extracted else str(extracted)[:LONGEST],
        "n_tokens": int(row["n_tokens"]),
        "cut": len(completion) > LONGEST,
    }
