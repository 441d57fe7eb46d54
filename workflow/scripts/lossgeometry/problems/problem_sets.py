"""Sets of generated problems, as JSONL of {"id", "problem", "answer"}, and "solution" where there is but one way to write it."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from lossgeometry.files.jsonl import write_atomic
from lossgeometry.problems.generated import draw_problems
from lossgeometry.problems.ordering import draw_orderings
from lossgeometry.problems.short import draw_short_problems
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
    rows = islice(_stream(problems, "tests" if part == "benchmark" else "rollouts"), first, first + wanted)
    numbered = [{"id": f"{part}-{index:05d}", **row} for index, row in enumerate(rows)]
    print(f"{len(numbered)} problems")
    write_atomic(output, numbered)


def _stream(problems: ProblemSet, part: str) -> Iterator[dict[str, str]]:
    if problems.skill == "ordering":
        for ordering in draw_orderings(problems.seed, part):
            yield {"problem": ordering.text, "answer": ordering.answer, "solution": ordering.solution}
        return
    short = problems.difficulty == "short"
    drawn = (
        draw_short_problems(problems.seed, part) if short else draw_problems(problems.seed, problems.difficulty, part)
    )
    for problem in drawn:
        yield {"problem": problem.text, "answer": str(problem.answer)}
