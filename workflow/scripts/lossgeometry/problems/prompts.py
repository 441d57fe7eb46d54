"""Problems from the hub or a file, as JSONL of {"id", "problem", "answer"}."""

from pathlib import Path

from lossgeometry.errors import InputError
from lossgeometry.files.jsonl import write_atomic
from lossgeometry.problems.datasets import read_problems
from lossgeometry.settings.tasks import ProblemSet


def fetch_prompts(problems: ProblemSet, workers: int, output: Path) -> None:
    """Write one set of problems from the hub or a file.

    Parameters
    ----------
    problems
        `train` takes all but the held-out problems where `count` is 0.
    workers
        Processes that check gold answers.

    Raises
    ------
    InputError
        If the source cannot be read or holds fewer problems than asked for.
    """
    rows = _part(read_problems(problems, workers, problems.deadline_seconds), problems)
    print(f"{len(rows)} problems")
    write_atomic(output, rows)


def _part(rows: list[dict], problems: ProblemSet) -> list[dict]:
    """Return the rows of one part of a source."""
    heldout_count = problems.heldout_count
    count = problems.count or len(rows) - heldout_count
    needed = count + heldout_count
    if count < 1 or needed > len(rows):
        wanted = f"{problems.count or 'some'} and {heldout_count} held-out" if heldout_count else f"{problems.count}"
        raise InputError(
            f"{problems.name} has {len(rows)} usable problems, but {wanted} are asked for; lower the count"
        )
    return rows[count:needed] if problems.part == "heldout" else rows[:count]
