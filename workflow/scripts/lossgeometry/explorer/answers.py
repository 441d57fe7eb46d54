"""What the base and the runs wrote to the same problems, for reading them side by side.

They are hostile text: kept as they are, shown as text only.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lossgeometry.experiment.runs import BASE
from lossgeometry.explorer.samples import LONGEST
from lossgeometry.files.jsonl import read_lines

CHARACTERS, PROBLEMS, UNCHANGED = 300_000, 40, 4
"""Most characters of all answers together, most problems of a benchmark, and how many of them no run need change."""
QUESTIONS = ("set", "problem_id", "problem", "answer")
ANSWERS = ("set", "problem_id", "run", "right", "completion", "extracted", "n_tokens", "cut")

Answers = dict[str, dict[str, Any]]
"""The first answer of one run to every problem."""


def compared_answers(
    files: Sequence[Path], runs: Sequence[str], problems: Mapping[str, Mapping[str, Mapping[str, str]]]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return problems and the answers of the base and some runs to each of them, as rows of `QUESTIONS` and `ANSWERS`.

    Of every benchmark, problems that a run turns from wrong to right, and from right to wrong, come first, one for each run
    in turn; then a few that none changes. The first answer counts, which is the greedy one where there is one.

    Parameters
    ----------
    files
        `evaluation/<run>/<benchmark>.jsonl`.
    problems
        Of every benchmark, its problems by their ids.
    """
    of_benchmark: dict[str, dict[str, Answers]] = {}
    for path in files:
        if path.parent.name in (BASE, *runs):
            of_benchmark.setdefault(path.stem, {})[path.parent.name] = _first_answers(path)
    questions, answers = [], []
    for benchmark, by_run in of_benchmark.items():
        left = CHARACTERS // len(of_benchmark)
        for identity in _chosen(by_run):
            told = [
                _answer(benchmark, identity, run, found[identity]) for run, found in by_run.items() if identity in found
            ]
            left -= sum(len(row["completion"]) for row in told)
            if left < 0:
                break
            asked = problems.get(benchmark, {}).get(identity, {})
            texts = {name: str(asked.get(name, ""))[:LONGEST] for name in ("problem", "answer")}
            questions.append({"set": benchmark, "problem_id": identity, **texts})
            answers += told
    return questions, answers


def _first_answers(path: Path) -> Answers:
    found: Answers = {}
    for row in read_lines(path):
        found.setdefault(str(row["problem_id"]), row)
    return found


def _right(row: Mapping[str, Any]) -> bool:
    return row["verdict"] == "correct"


def _chosen(by_run: Mapping[str, Answers]) -> list[str]:
    """Return the problems to show, those that some run changes first."""
    base = by_run.get(BASE, {})
    queues = [
        _flips(base, found, to_right) for run, found in by_run.items() if run != BASE for to_right in (True, False)
    ]
    chosen: dict[str, None] = {}
    while queues and len(chosen) < PROBLEMS - UNCHANGED:
        before = len(chosen)
        for queue in queues:
            taken = next((identity for identity in queue if identity not in chosen), None)
            if taken is not None:
                chosen[taken] = None
        if len(chosen) == before:
            break
    same = [identity for identity in base if identity not in chosen]
    return [*list(chosen)[: PROBLEMS - UNCHANGED], *same[:UNCHANGED]]


def _flips(base: Answers, found: Answers, to_right: bool) -> Iterator[str]:
    for identity, row in found.items():
        if identity in base and _right(base[identity]) != to_right and _right(row) == to_right:
            yield identity


def _answer(benchmark: str, identity: str, run: str, row: Mapping[str, Any]) -> dict[str, Any]:
    completion, extracted = str(row["completion"]), row["extracted"]
    return {
        "set": benchmark,
        "problem_id": identity,
        "run": run,
        "right": _right(row),
        "completion": completion[:LONGEST],
        "extracted": "" if extracted is None or extracted != extracted else str(extracted)[:LONGEST],
        "n_tokens": int(row["n_tokens"]),
        "cut": len(completion) > LONGEST,
    }
