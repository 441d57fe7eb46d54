"""Sets of generated problems, as JSONL of {"id", "problem", "answer"}."""

from itertools import islice
from pathlib import Path
from typing import Any

from lossgeometry.files.jsonl import write_atomic
from lossgeometry.problems.generated import draw_problems
from lossgeometry.settings.models import Problems


def write_prompts(cfg: dict[str, Any], output: Path) -> None:
    """Write one set of generated problems.

    Parameters
    ----------
    cfg
        The `Problems` block, with `part`: `train` takes the first `count` problems of the rollouts' stream, `heldout` the next
        `heldout_count`, so that the two are disjoint; `benchmark` takes `count` problems of the tests' stream.
    """
    cfg = dict(cfg)
    part, heldout_count = cfg.pop("part"), cfg.pop("heldout_count", 0)
    problems = Problems(**cfg)
    first, wanted = (problems.count, heldout_count) if part == "heldout" else (0, problems.count)
    stream = draw_problems(problems.seed, problems.difficulty, "tests" if part == "benchmark" else "rollouts")
    rows = [
        {"id": f"{part}-{index:05d}", "problem": problem.text, "answer": str(problem.answer)}
        for index, problem in enumerate(islice(stream, first, first + wanted))
    ]
    print(f"{len(rows)} problems")
    write_atomic(output, rows)
