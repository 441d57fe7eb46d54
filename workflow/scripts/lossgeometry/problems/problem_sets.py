"""Sets of generated problems, as JSONL of {"id", "problem", "answer"}."""

from itertools import islice
from pathlib import Path

from lossgeometry.files.jsonl import write_atomic
from lossgeometry.problems.generated import draw_problems
from lossgeometry.settings.tasks import ProblemSet


def write_prompts(problems: ProblemSet, output: Path) -> None:
    """Write one set of generated problems.

    Parameters
    ----------
    problems
        `train` and `heldout` are parts of the rollouts' stream, a `benchmark` is of the tests' stream.
    """
    part = problems.part
    first, wanted = (problems.count, problems.heldout_count) if part == "heldout" else (0, problems.count)
    stream = draw_problems(problems.seed, problems.difficulty, "tests" if part == "benchmark" else "rollouts")
    rows = [
        {"id": f"{part}-{index:05d}", "problem": problem.text, "answer": str(problem.answer)}
        for index, problem in enumerate(islice(stream, first, first + wanted))
    ]
    print(f"{len(rows)} problems")
    write_atomic(output, rows)
