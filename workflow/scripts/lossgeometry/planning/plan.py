"""What a call of Snakemake would run, and what it would cost going by the benchmarks that earlier jobs recorded."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from lossgeometry.experiment.layers import parse_arguments, read_or_exit
from lossgeometry.planning.reasons import shorten, why
from lossgeometry.planning.usage import usage

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


def costs(jobs: Iterable[PlannedJob], project: Path, rehearsed: Mapping[str, float] | None = None) -> list[Cost]:
    """Return the expected cost per rule.

    A job that ran before is expected to take as long again; a new one as long as the mean of its rule's recorded jobs. Where no
    run was trained, what `make rehearse` measured counts.

    Parameters
    ----------
    rehearsed
        Seconds by run.
    """
    by_rule: dict[str, list[PlannedJob]] = {}
    for job in jobs:
        by_rule.setdefault(job.rule, []).append(job)
    return [_cost(rule, rule_jobs, project, rehearsed or {}) for rule, rule_jobs in by_rule.items()]


def _cost(rule: str, jobs: list[PlannedJob], project: Path, rehearsed: Mapping[str, float]) -> Cost:
    recorded = expected_of(jobs, project)
    mean = Expected(*map(fmean, zip(*recorded.values(), strict=True))) if recorded else None
    known: list[tuple[PlannedJob, Expected]] = []
    for job in jobs:
        expected = recorded.get(job.benchmark) or mean
        if expected is None and rule == "train_adapter" and job.wildcards[0] in rehearsed:
            seconds = rehearsed[job.wildcards[0]]
            expected = Expected(seconds, seconds)
        if expected is not None:
            known.append((job, expected))
    return Cost(
        rule=rule,
        jobs=len(jobs),
        unknown=len(jobs) - len(known),
        core_hours=sum(expected.cpu_seconds for _, expected in known) / 3600,
        gpu_hours=sum(job.gpus * expected.seconds for job, expected in known) / 3600,
    )


class Expected(NamedTuple):
    """What a job is expected to take."""

    seconds: float
    """On the clock."""
    cpu_seconds: float


def expected_of(jobs: Iterable[PlannedJob], project: Path) -> Mapping[Path | None, Expected]:
    """Return what every recorded job of the rule took that these jobs belong to; its cores where nobody counted its CPU time."""
    jobs = [job for job in jobs if job.benchmark]
    folders = {_rule_folder(job.rule, job.benchmark) for job in jobs if job.benchmark}
    files = sorted({file for folder in folders for file in (project / folder).rglob("*.tsv")})
    files += [project / job.benchmark for job in jobs if job.benchmark and (project / job.benchmark).is_file()]
    threads = {job.benchmark: job.threads for job in jobs}
    found: dict[Path | None, Expected] = {}
    for file in files:
        path = file.relative_to(project)
        cores = threads.get(path, max(threads.values()))
        if (took := _taken(file, cores)) is not None:  # None where one was killed
            found[path] = took
    return found


def taken_by(job: PlannedJob, project: Path) -> Expected | None:
    """Return what a finished job took; None where it recorded nothing that lies here."""
    file = project / job.benchmark if job.benchmark else None
    return _taken(file, job.threads) if file and file.is_file() else None


def _taken(file: Path, cores: int) -> Expected | None:
    results = next(parent.parent for parent in file.parents if parent.name == "benchmarks")
    job = usage(file, results)
    return job and Expected(job.seconds, job.cpu_seconds or cores * job.seconds)


def _hours(hours: float, unknown: bool = False) -> str:
    """Return hours as text; a question mark where nothing is known, and never zero for what is little."""
    return "?" if unknown else "<0.01" if 0 < hours < 0.005 else f"{hours:.2f}"


def _rule_folder(rule: str, benchmark: Path) -> Path:
    """Return benchmarks/<rule>, which holds the files of a rule with wildcards."""
    parts = benchmark.with_suffix("").parts
    return Path(*parts[: parts.index(rule) + 1]) if rule in parts else benchmark.parent / rule


def format_plan(jobs: Sequence[PlannedJob], project: Path, rehearsed: Mapping[str, float] | None = None) -> str:
    """Return the plan as text: one line per rule with the reason, and what all of it would cost."""
    if not jobs:
        return "Nothing to do: every result is up to date."
    table = costs(jobs, project, rehearsed)
    maker = {output: job.rule for job in jobs for output in job.outputs}
    width = max(len(cost.rule) for cost in table)
    lines = [f"{'rule':<{width}}  {'jobs':>5}  {'core-hours':>10}  {'GPU-hours':>9}  why"]
    for cost in table:
        hours = ("?", "?") if cost.unknown else (_hours(cost.core_hours), _hours(cost.gpu_hours))
        reason = why((job.reason for job in jobs if job.rule == cost.rule), maker)
        lines.append(f"{cost.rule:<{width}}  {cost.jobs:>5}  {hours[0]:>10}  {hours[1]:>9}  {reason}".rstrip())
    unknown = sum(cost.unknown for cost in table)
    nothing = unknown == len(jobs)
    totals = [_hours(sum(getattr(cost, kind) for cost in table), nothing) for kind in ("core_hours", "gpu_hours")]
    lines.append(f"{'total':<{width}}  {len(jobs):>5}  {totals[0]:>10}  {totals[1]:>9}")
    if unknown:
        lines.append(f"Not in the total: {unknown} jobs of rules that were never run here.")
    return "\n".join(lines)
