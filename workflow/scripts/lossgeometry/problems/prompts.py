"""Problems from the hub or a file, as JSONL of {"id", "problem", "answer"}."""

from pathlib import Path
from typing import Any

from lossgeometry.errors import InputError
from lossgeometry.files.jsonl import write_atomic
from lossgeometry.problems.datasets import read_problems
from lossgeometry.settings.models import Problems


def fetch_prompts(cfg: dict[str, Any], workers: int, output: Path) -> None:
    """Write one set of problems from the hub or a file.

    Parameters
    ----------
    cfg
        The `Problems` block, with `part`: `train` takes the first `count` problems of the source (all but the held-out
        ones where `count` is 0), `heldout` the next `heldout_count`, so that the two are disjoint; `benchmark` takes
        `count`. `deadline_seconds` is what checking one gold answer may take.
    workers
        Processes that check gold answers.

    Raises
    ------
    InputError
        If the source cannot be read or holds fewer problems than asked for.
    """
    cfg = dict(cfg)
    part, heldout_count, deadline = cfg.pop("part"), cfg.pop("heldout_count", 0), cfg.pop("deadline_seconds")
    problems = Problems(**cfg)
    rows = _part(read_problems(problems, workers, deadline), part, problems, heldout_count)
    print(f"{len(rows)} problems")
    write_atomic(output, rows)


def _part(rows: list[dict], part: str, problems: Problems, heldout_count: int) -> list[dict]:
    """Return the rows of one part of a source."""
    count = problems.count or len(rows) - heldout_count
    needed = count + heldout_count
    if count < 1 or needed > len(rows):
        wanted = f"{problems.count or 'some'} and {heldout_count} held-out" if heldout_count else f"{problems.count}"
        raise InputError(
            f"{problems.name} has {len(rows)} usable problems, but {wanted} are asked for; lower the count"
        )
    return rows[count:needed] if part == "heldout" else rows[:count]
