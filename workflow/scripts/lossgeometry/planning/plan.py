"""What a call of Snakemake would run, and what it would cost going by the benchmarks that earlier jobs recorded."""

import csv
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from lossgeometry.experiment.layers import parse_arguments, read_or_exit
from lossgeometry.planning.reasons import shorten, why

MANY_CORES = 1_000_000
"""Snakemake scales a job's threads down to the cores it is given; a plan shows what each job asks for."""


@dataclass(frozen=True)
class PlannedJob:
    """A job that would run."""

    rule: str
    wildcards: tuple[str, ...]
    outputs: tuple[str, ...]
    threads: int
    gpus: int
    benchmark: Path | None
    """Where the job records its run time; on disk already when an earlier run of it finished."""
    reason: str = ""
    """Why it runs, in Snakemake's words, shortened."""


@dataclass(frozen=True)
class Cost:
    """What the jobs of one rule would cost."""

    rule: str
    jobs: int
    unknown: int
    """Jobs of a rule that was never run here: nothing is known of them."""
    core_hours: float
    gpu_hours: float


def plan(project: Path, arguments: Sequence[str] = ()) -> list[PlannedJob]:
    """Return the jobs that Snakemake would run, in the order of rule and wildcards, without running any.

    Parameters
    ----------
    arguments
        As for `snakemake`: targets, `--configfile`, `--config`, `--forcerun` and whatever else it takes.

    Raises
    ------
    SystemExit
        If the configuration cannot run, or the workflow cannot be built; Snakemake has said why.
    """
    from snakemake.cli import args_to_api
    from snakemake.logging import logger
    from snakemake_interface_logger_plugins.common import LogEvent

    jobs: list[PlannedJob] = []

    def collect(record: Any) -> bool:
        if getattr(record, "event", None) == LogEvent.JOB_INFO and record.output:
            jobs.append(_planned(record))
        return record.levelno >= logging.WARNING  # what a dry run prints is not the plan that is asked for

    parser, parsed = parse_arguments(project, ["--dryrun", "--quiet", "all", "--cores", str(MANY_CORES), *arguments])
    read_or_exit(map(Path, parsed.configfile or ()))
    logger.addFilter(collect)
    try:
        if not args_to_api(parsed, parser):
            raise SystemExit(1)
    finally:
        logger.removeFilter(collect)
    return sorted(jobs, key=lambda job: (job.rule, job.wildcards, job.outputs))


def _planned(job: Any) -> PlannedJob:
    return PlannedJob(
        rule=job.rule_name,
        wildcards=tuple(str(value) for value in job.wildcards.values()),
        outputs=tuple(job.output),
        threads=job.threads,
        gpus=job.resources.get("gpu", 0),
        benchmark=Path(job.benchmark) if job.benchmark else None,
        reason=shorten(job.reason),
    )


def costs(jobs: Iterable[PlannedJob], project: Path) -> list[Cost]:
    """Return the expected cost per rule.

    A job that ran before is expected to take as long again; a new one as long as the mean of its rule's recorded jobs.
    """
    by_rule: dict[str, list[PlannedJob]] = {}
    for job in jobs:
        by_rule.setdefault(job.rule, []).append(job)
    return [_cost(rule, rule_jobs, project) for rule, rule_jobs in by_rule.items()]


def _cost(rule: str, jobs: list[PlannedJob], project: Path) -> Cost:
    recorded = _recorded_seconds(jobs, project)
    mean = fmean(recorded.values()) if recorded else None
    expected = [(job, recorded.get(job.benchmark, mean)) for job in jobs]
    known = [(job, seconds / 3600) for job, seconds in expected if seconds is not None]
    return Cost(
        rule=rule,
        jobs=len(jobs),
        unknown=len(jobs) - len(known),
        core_hours=sum(job.threads * hours for job, hours in known),
        gpu_hours=sum(job.gpus * hours for job, hours in known),
    )


def _recorded_seconds(jobs: Iterable[PlannedJob], project: Path) -> Mapping[Path | None, float]:
    """Return the seconds in every benchmark file of the rule that these jobs belong to."""
    folders = {_rule_folder(job.rule, job.benchmark) for job in jobs if job.benchmark}
    files = sorted({file for folder in folders for file in (project / folder).rglob("*.tsv")})
    files += [project / job.benchmark for job in jobs if job.benchmark and (project / job.benchmark).is_file()]
    seconds: dict[Path | None, float] = {}
    for file in files:
        with file.open(newline="", encoding="utf-8") as lines:
            repeats = [float(row["s"]) for row in csv.DictReader(lines, delimiter="\t")]
        if repeats:  # empty where a job was killed
            seconds[file.relative_to(project)] = fmean(repeats)
    return seconds


def _rule_folder(rule: str, benchmark: Path) -> Path:
    """Return benchmarks/<rule>, which holds the files of a rule with wildcards."""
    parts = benchmark.with_suffix("").parts
    return Path(*parts[: parts.index(rule) + 1]) if rule in parts else benchmark.parent / rule


def format_plan(jobs: Sequence[PlannedJob], project: Path) -> str:
    """Return the plan as text: one line per rule with the reason, and what all of it would cost."""
    if not jobs:
        return "Nothing to do: every result is up to date."
    table = costs(jobs, project)
    maker = {output: job.rule for job in jobs for output in job.outputs}
    width = max(len(cost.rule) for cost in table)
    lines = [f"{'rule':<{width}}  {'jobs':>5}  {'core-hours':>10}  {'GPU-hours':>9}  why"]
    for cost in table:
        hours = ("?", "?") if cost.unknown else (f"{cost.core_hours:.2f}", f"{cost.gpu_hours:.2f}")
        reason = why((job.reason for job in jobs if job.rule == cost.rule), maker)
        lines.append(f"{cost.rule:<{width}}  {cost.jobs:>5}  {hours[0]:>10}  {hours[1]:>9}  {reason}".rstrip())
    totals = (sum(cost.core_hours for cost in table), sum(cost.gpu_hours for cost in table))
    lines.append(f"{'total':<{width}}  {len(jobs):>5}  {totals[0]:>10.2f}  {totals[1]:>9.2f}")
    unknown = sum(cost.unknown for cost in table)
    if unknown:
        lines.append(f"Not in the total: {unknown} jobs of rules that were never run here.")
    return "\n".join(lines)
