"""Results that are recorded as current without being computed again."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from lossgeometry.planning.plan import PlannedJob


def missing_outputs(jobs: Iterable[PlannedJob], project: Path) -> list[str]:
    """Return the outputs of jobs that are not on disk."""
    return [output for job in jobs for output in job.outputs if not (project / output).exists()]


def format_accepted(jobs: Sequence[PlannedJob]) -> str:
    """Return what was accepted as text: one line per rule."""
    if not jobs:
        return "Nothing to accept: every result is up to date."
    counts = Counter(job.rule for job in jobs)
    lines = [f"{rule:<26}  {count:>5}" for rule, count in counts.items()]
    return "\n".join(["Recorded as current, without computing anything:", *lines])
