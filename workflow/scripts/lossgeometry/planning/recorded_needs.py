"""What the jobs of a finished experiment took, as the memory and time that a cluster is asked for."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from lossgeometry.planning.usage import Usage, usage

SPARE_MEMORY, SPARE_TIME = 1.5, 2.0
"""What is asked for, as a multiple of the most that a job of the rule took: attempts that fail ask for more."""
LEAST_MEMORY, LEAST_MINUTES, MOST_MINUTES = 500, 10, 1440


class Needs(NamedTuple):
    """The most that a job of a rule took."""

    jobs: int
    megabytes: float
    """Resident memory; 0 where nobody knows."""
    minutes: float


def recorded_needs(results: Path) -> dict[str, Needs]:
    """Return the needs by rule of a finished experiment; jobs that were killed left no record."""
    found: dict[str, list[Usage]] = {}
    benchmarks = results / "benchmarks"
    for file in sorted(benchmarks.rglob("*.tsv")):
        if job := usage(file, results):
            found.setdefault(file.relative_to(benchmarks).parts[0].removesuffix(".tsv"), []).append(job)
    return {
        rule: Needs(len(jobs), max(job.megabytes for job in jobs), max(job.seconds for job in jobs) / 60)
        for rule, jobs in found.items()
    }


def as_resources(needs: Mapping[str, Needs]) -> str:
    """Return the lines of a profile's `set-resources`."""
    lines = ["set-resources:"]
    for rule, (jobs, megabytes, minutes) in sorted(needs.items()):
        memory = max(LEAST_MEMORY, 100 * math.ceil(SPARE_MEMORY * megabytes / 100))
        time = min(max(LEAST_MINUTES, math.ceil(SPARE_TIME * minutes)), MOST_MINUTES)
        took = f"{megabytes:.0f} MB, {60 * minutes:.0f} s at most in {jobs} {'job' if jobs == 1 else 'jobs'}"
        lines.append(
            f'  {rule}: {{mem_mb: {memory} * attempt, runtime: "min({time} * attempt, {MOST_MINUTES})"}}  # {took}'
        )
    return "\n".join(lines)
