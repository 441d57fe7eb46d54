"""What a finished job took: the clock by Snakemake's record, the rest by that or by the job's own word, which is in its log."""

import csv
import re
from pathlib import Path
from typing import NamedTuple


class Usage(NamedTuple):
    """What one job took."""

    seconds: float
    """On the clock."""
    cpu_seconds: float
    megabytes: float
    """Most resident memory; 0 where nobody knows."""


def usage(benchmark: Path, results: Path) -> Usage | None:
    """Return what a job took; None if it was killed.

    Snakemake samples a job's processes, which misses short jobs, and those that ran in a fork of another process (see
    `preloading`); what a job says at its end misses the sum over processes that it started. So the larger number counts.

    Parameters
    ----------
    benchmark
        Its file in <results>/benchmarks; the log has the same place in <results>/logs.
    """
    with benchmark.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    if not rows:
        return None
    log = results / "logs" / benchmark.relative_to(results / "benchmarks").with_suffix(".log")
    said = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
    return Usage(
        _number(rows[-1]["s"]),
        max(
            _number(rows[-1]["cpu_time"]), *map(float, re.findall(r"^CPU seconds: ([\d.]+)$", said, re.MULTILINE)), 0.0
        ),
        max(_number(rows[-1]["max_rss"]), *map(float, re.findall(r"^Peak memory: (\d+) MB$", said, re.MULTILINE)), 0.0),
    )


def _number(text: str) -> float:
    return 0.0 if text in ("-", "NA") else float(text)
