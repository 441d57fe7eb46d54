"""What a call of Snakemake has done and what is left of it, a line at a time; times go by what jobs recorded."""

import logging
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from lossgeometry.planning.plan import Expected, PlannedJob, expected_of, taken_by

EVERY = 60
"""Seconds between two lines where no stage ends."""


class Progress:
    """Jobs of one call as they finish.

    Parameters
    ----------
    jobs
        What will run, by Snakemake's number of the job.
    stages
        Stage of every rule.
    project
        Folder that the benchmarks of the jobs lie below.
    limits
        Of cores, of GPUs and of jobs at a time; None for what nobody limits.
    """

    def __init__(
        self, jobs: Mapping[int, PlannedJob], stages: Mapping[str, str], project: Path, limits: Sequence[int | None]
    ) -> None:
        self.jobs, self.stages, self.project = dict(jobs), stages, project
        self.left = dict(jobs)
        self.shares = {
            number: max(part / limit for part, limit in zip((job.threads, job.gpus, 1), limits, strict=True) if limit)
            for number, job in jobs.items()
        }
        by_rule: dict[str, list[PlannedJob]] = {}
        for job in jobs.values():
            by_rule.setdefault(job.rule, []).append(job)
        # Read at once: a job that starts removes the record of its last run.
        self.expected = {rule: expected_of(rule_jobs, project) for rule, rule_jobs in by_rule.items()}
        self.took: dict[str, list[Expected]] = {}

    def finish(self, number: int) -> bool:
        """Count a job as done; return whether its stage is."""
        job = self.left.pop(number, None)
        if job is None:
            return False
        if took := taken_by(job, self.project):
            self.took.setdefault(job.rule, []).append(took)
        return not any(self.stages[other.rule] == self.stages[job.rule] for other in self.left.values())

    def line(self, number: int) -> str:
        """Return what is done of a job's stage and of all, the CPU time of the stage, and the time left."""
        stage = self.stages[self.jobs[number].rule]
        rules = {rule for rule, name in self.stages.items() if name == stage}
        all_of, left = ([job for job in jobs.values() if job.rule in rules] for jobs in (self.jobs, self.left))
        spent = sum(took.cpu_seconds for rule in rules for took in self.took.get(rule, ()))
        done = f"{stage} {len(all_of) - len(left)} of {len(all_of)} jobs, {in_words(spent)} of CPU time"
        return f"{done}; in all {len(self.jobs) - len(self.left)} of {len(self.jobs)}{self._time_left()}"

    def _time_left(self) -> str:
        """Return the time that the jobs left take with all that there is busy, and how many nobody can tell of."""
        seconds = [(self.shares[number], self._seconds(job)) for number, job in self.left.items()]
        known = [(share, value) for share, value in seconds if value is not None]
        unknown = len(seconds) - len(known)
        longest = max((value for _, value in known), default=0.0)
        told = f", about {in_words(max(longest, sum(share * value for share, value in known)))} left" if known else ""
        return told + (f", and {unknown} jobs of a kind that never ran here" if unknown else "")

    def _seconds(self, job: PlannedJob) -> float | None:
        """Return what a job took when it last ran, else the mean of its rule."""
        recorded, now = self.expected[job.rule], self.took.get(job.rule, [])
        if job.benchmark in recorded:
            return recorded[job.benchmark].seconds
        like = [took.seconds for took in (now or recorded.values())]
        return fmean(like) if like else None


def in_words(seconds: float) -> str:
    """Return a duration in the unit that suits it."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def follow(workflow: Any) -> None:
    """Print a line on standard error as each stage of this call of Snakemake ends, and now and then; none with `--quiet`."""
    from snakemake.logging import logger
    from snakemake.settings.enums import Quietness
    from snakemake_interface_logger_plugins.common import LogEvent

    if {Quietness.ALL, Quietness.PROGRESS} & set(workflow.output_settings.quiet or ()):
        return
    # Named targets run nothing, and record nothing.
    planned = {job.jobid: _planned(job) for job in workflow.dag.needrun_jobs() if job.benchmark}
    stages = {job.rule.name: Path(str(job.rule.snakefile)).stem for job in workflow.dag.needrun_jobs()}
    if workflow.local_exec:
        limits = [workflow.cores, _limit(workflow.global_resources.get("gpu")), None]
    else:
        limits = [None, None, workflow.nodes]
    progress = Progress(planned, stages, Path.cwd(), limits)
    last = time.monotonic()

    def watch(record: logging.LogRecord) -> bool:
        nonlocal last
        number = getattr(record, "job_id", None)
        if getattr(record, "event", None) == LogEvent.JOB_FINISHED and number in progress.left:
            stage_ends = progress.finish(number)
            if stage_ends or time.monotonic() - last >= EVERY:
                last = time.monotonic()
                print(f"Progress: {progress.line(number)}.", file=sys.stderr, flush=True)
        return True

    logger.addFilter(watch)


def _limit(resource: Any) -> int | None:
    value = getattr(resource, "value", resource)
    return None if value is None else int(value)


def _planned(job: Any) -> PlannedJob:
    gpus = job.resources.get("gpu", 0)
    return PlannedJob(job.rule.name, (), (), job.threads, gpus, Path(str(job.benchmark)))
