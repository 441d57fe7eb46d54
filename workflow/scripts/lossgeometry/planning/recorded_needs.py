"""What the jobs of a finished experiment took, as the memory and time that a cluster is asked for."""

import csv
import math
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

SPARE_MEMORY, SPARE_TIME = 1.5, 2.0
"""What is asked for, as a multiple of the most that a job of the rule took: attempts that fail ask for more."""
LEAST_MEMORY, LEAST_MINUTES, MOST_MINUTES = 500, 10, 1440


class Needs(NamedTuple):
    """The most that a job of a rule took."""

    jobs: int
    megabytes: float
    """Resident memory; 0 where no job lasted long enough to be sampled."""
    minutes: float


def recorded_needs(benchmarks: Path) -> dict[str, Needs]:
    """Return the needs by rule from <results>/benchmarks; jobs that were killed left no record."""
    found: dict[str, list[tuple[float, float]]] = {}
    for file in sorted(benchmarks.rglob("*.tsv")):
        rule = file.relative_to(benchmarks).parts[0].removesuffix(".tsv")
        with file.open(newline="", encoding="utf-8") as lines:
            for row in csv.DictReader(lines, delimiter="\t"):
                memory = row["max_rss"]
                found.setdefault(rule, []).append((0.0 if memory in ("-", "NA") else float(memory), float(row["s"])))
    return {
        rule: Needs(len(taken), max(memory for memory, _ in taken), max(seconds for _, seconds in taken) / 60)
        for rule, taken in found.items()
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
