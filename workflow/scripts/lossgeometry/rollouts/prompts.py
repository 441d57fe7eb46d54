"""The problems of the experiment, as JSONL of {"id", "problem", "answer"}."""

from itertools import islice
from pathlib import Path
from typing import Any

from lossgeometry.job import InputError
from lossgeometry.jsonl import read_lines, write_atomic
from lossgeometry.rollouts.datasets import read_problems
from lossgeometry.settings.models import Problems
from lossgeometry.tiny.problems import draw_problems


def write_prompts(cfg: dict[str, Any], output: Path) -> None:
    """Write one set of problems.

    Parameters
    ----------
    cfg
        The `Problems` block, with `part`: `train` takes the first `count` problems of the source, `heldout` the next
        `heldout_count`, so that the two are disjoint; `benchmark` takes `count` problems of the tests' part.

    Raises
    ------
    InputError
        If the source holds fewer problems than asked for.
    """
    cfg = dict(cfg)
    part, heldout_count = cfg.pop("part"), cfg.pop("heldout_count", 0)
    problems = Problems(**cfg)
    first = problems.count if part == "heldout" else 0
    wanted = heldout_count if part == "heldout" else problems.count
    if problems.source == "generated":
        stream = draw_problems(problems.seed, problems.difficulty, "tests" if part == "benchmark" else "rollouts")
        rows = [
            {"id": f"{part}-{index:05d}", "problem": problem.text, "answer": str(problem.answer)}
            for index, problem in enumerate(islice(stream, first, first + wanted))
        ]
    else:
        rows = read_problems(problems)
        if not problems.count and part == "train":
            rows = rows[: len(rows) - heldout_count]
        elif not problems.count and part == "heldout":
            rows = rows[len(rows) - heldout_count :]
        else:
            rows = rows[first : first + wanted] if wanted else rows
        if len(rows) < wanted:
            raise InputError(f"{problems.name} has {len(rows)} usable problems for {part}, not {wanted}; lower the count")
    print(f"{len(rows)} problems")
    write_atomic(output, rows)
