"""Results that are recorded as current without being computed again."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from lossgeometry.experiment.layers import parse_arguments
from lossgeometry.planning.plan import PlannedJob


def touch(project: Path, arguments: Sequence[str]) -> None:
    """Let Snakemake record as current what it would run with these arguments.

    Raises
    ------
    SystemExit
        If it could not; it has said why.
    """
    from snakemake.cli import args_to_api
    from snakemake.executors.touch import Executor

    Executor.SLEEPING_TIME = 0  # it waits .1 s before each job, whose files need be no newer than those it was made of
    parser, parsed = parse_arguments(project, ["--touch", "--quiet", "all", "--cores", "1", *arguments])
    if not args_to_api(parsed, parser):
        raise SystemExit(1)


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
