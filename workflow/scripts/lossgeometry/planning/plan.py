"""What a call of Snakemake would run, and what it would cost going by the benchmarks that earlier jobs recorded."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import yaml

PROFILE = Path("profiles/default/config.yaml")
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


@dataclass(frozen=True)
class Cost:
    """What the jobs of one rule would cost."""

    rule: str
    jobs: int
    unknown: int
    """Jobs of a rule that was never run here: nothing is known of them."""
    core_hours: float
    gpu_hours: float


def plan(project: Path, configfiles: Sequence[Path] = (), targets: Iterable[str] = ("all",)) -> list[PlannedJob]:
    """Return the jobs that Snakemake would run, in the order of rule and wildcards, without running any.

    The triggers are those of profiles/default, as on the command line.

    Raises
    ------
    SystemExit
        If the configuration cannot run.
    snakemake_interface_common.exceptions.WorkflowError
        If the workflow cannot be built, for example for a missing input.
    """
    from snakemake.api import SnakemakeApi
    from snakemake.settings.enums import Quietness, RerunTrigger
    from snakemake.settings.types import ConfigSettings, DAGSettings, OutputSettings, ResourceSettings

    profile = yaml.safe_load((project / PROFILE).read_text(encoding="utf-8"))
    triggers = frozenset(RerunTrigger.parse_choice(name) for name in profile["rerun-triggers"])
    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL}, show_failed_logs=False)) as api:
        workflow = api.workflow(
            resource_settings=ResourceSettings(cores=MANY_CORES),
            config_settings=ConfigSettings(configfiles=list(configfiles)),
            snakefile=project / "Snakefile",
            workdir=project,
        )
        dag = workflow.dag(
            DAGSettings(
                targets=frozenset(targets),
                rerun_triggers=triggers,
                force_incomplete=profile["rerun-incomplete"],
                max_checksum_file_size=profile.get("max-checksum-file-size", DAGSettings.max_checksum_file_size),
            )
        )
        dag.execute_workflow(executor="dryrun")
        jobs = [_planned(job) for job in workflow._workflow.dag.needrun_jobs(exclude_finished=False) if job.output]
    return sorted(jobs, key=lambda job: (job.rule, job.wildcards, job.outputs))


def _planned(job) -> PlannedJob:
    return PlannedJob(
        rule=job.rule.name,
        wildcards=tuple(str(value) for value in job.wildcards),
        outputs=tuple(str(path) for path in job.output),
        threads=job.threads,
        gpus=job.resources.get("gpu", 0),
        benchmark=Path(job.benchmark) if job.benchmark else None,
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
    """Return the plan as text: one line per rule, and what all of it would cost."""
    if not jobs:
        return "Nothing to do: every result is up to date."
    table = costs(jobs, project)
    width = max(len(cost.rule) for cost in table)
    lines = [f"{'rule':<{width}}  {'jobs':>5}  {'core-hours':>10}  {'GPU-hours':>9}"]
    for cost in table:
        hours = ("?", "?") if cost.unknown else (f"{cost.core_hours:.2f}", f"{cost.gpu_hours:.2f}")
        lines.append(f"{cost.rule:<{width}}  {cost.jobs:>5}  {hours[0]:>10}  {hours[1]:>9}")
    totals = (sum(cost.core_hours for cost in table), sum(cost.gpu_hours for cost in table))
    lines.append(f"{'total':<{width}}  {len(jobs):>5}  {totals[0]:>10.2f}  {totals[1]:>9.2f}")
    unknown = sum(cost.unknown for cost in table)
    if unknown:
        lines.append(f"Not in the total: {unknown} jobs of rules that were never run here.")
    return "\n".join(lines)
