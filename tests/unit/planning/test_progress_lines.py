"""Lines that a run prints: what is done of a stage, and the time left by what jobs recorded."""

import subprocess
import sys
from pathlib import Path

import pytest
from workflow_copy import REPOSITORY

from lossgeometry.planning.plan import PlannedJob
from lossgeometry.planning.progress import Progress, in_words

STAGES = {"sample": "rollouts", "grade": "rollouts", "train": "train"}


def planned(rule: str, name: str, threads: int = 1, gpus: int = 0) -> PlannedJob:
    return PlannedJob(rule, (), (), threads, gpus, Path(f"results/x/benchmarks/{rule}/{name}.tsv"))


def record(project: Path, job: PlannedJob, seconds: float, cpu: float) -> None:
    assert job.benchmark
    path = project / job.benchmark
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"s\tmax_rss\tcpu_time\n{seconds}\t-\t{cpu}\n", encoding="utf-8")


def test_a_stage_ends_with_its_last_job_and_its_cpu_time_is_their_sum(tmp_path):
    jobs = {1: planned("sample", "a"), 2: planned("grade", "a"), 3: planned("train", "a")}
    progress = Progress(jobs, STAGES, tmp_path, (2, None, None))
    record(tmp_path, jobs[1], 10, 8)
    assert not progress.finish(1)
    line = progress.line(1)
    assert line == "rollouts 1 of 2 jobs, 8 s of CPU time; in all 1 of 3, and 2 jobs of a kind that never ran here"
    record(tmp_path, jobs[2], 10, 9)
    assert progress.finish(2)
    assert progress.line(2).startswith("rollouts 2 of 2 jobs, 17 s of CPU time; in all 2 of 3")
    assert not progress.finish(7)  # a job that records nothing is none of these


def test_the_time_left_is_what_jobs_took_before_then_what_their_rule_takes_now(tmp_path):
    jobs = {number: planned("train", str(number)) for number in range(8)}
    record(tmp_path, jobs[0], 20, 20)
    progress = Progress(jobs, STAGES, tmp_path, (2, None, None))
    (tmp_path / jobs[0].benchmark).unlink()  # as Snakemake does where the job starts again
    assert progress.line(0).endswith("about 80 s left")
    record(tmp_path, jobs[1], 10, 10)
    progress.finish(1)
    assert progress.line(1).endswith(f"about {(20 + 6 * 10) / 2:.0f} s left")
    for number in (0, *range(2, 8)):
        progress.finish(number)
    assert progress.line(3).endswith("in all 8 of 8")


@pytest.mark.parametrize(
    ("limits", "left"), [((8, None, None), 40), ((8, 1, None), 80), ((None, None, 1), 80), ((None, None, 4), 40)]
)
def test_what_runs_at_a_time_is_bounded_by_cores_gpus_or_submissions(tmp_path, limits, left):
    jobs = {number: planned("train", str(number), threads=4, gpus=1) for number in range(2)}
    for job in jobs.values():
        record(tmp_path, job, 40, 160)
    assert Progress(jobs, STAGES, tmp_path, limits).line(0).endswith(f"about {left} s left")


def test_durations_have_the_unit_that_suits_them():
    assert [in_words(value) for value in (0.4, 99, 150, 5999, 7200)] == ["0 s", "99 s", "2 min", "100 min", "2.0 h"]


RULES = """
rule {stage}_one:
    output: "results/x/{{name}}.{stage}"
    benchmark: "results/x/benchmarks/{stage}_one/{{name}}.tsv"
    shell: "touch {{output}}"
"""
WORKFLOW = """
import sys
sys.path.insert(0, "{library}")
from lossgeometry.planning.progress import follow

include: "rules/first.smk"
include: "rules/second.smk"

rule all:
    default_target: True
    input: expand("results/x/{{name}}.{{stage}}", name=["a", "b"], stage=["first", "second"])

onstart:
    follow(workflow)
"""


@pytest.mark.slow
def test_snakemake_says_it_as_each_stage_ends_unless_it_is_to_be_quiet(tmp_path):
    (tmp_path / "rules").mkdir()
    for stage in ("first", "second"):
        (tmp_path / f"rules/{stage}.smk").write_text(RULES.format(stage=stage))
    (tmp_path / "Snakefile").write_text(WORKFLOW.format(library=REPOSITORY / "workflow/scripts"))

    def said(*arguments: str) -> list[str]:
        command = [sys.executable, "-m", "snakemake", "--cores", "1", "--forceall", *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        return [line for line in done.stderr.splitlines() if line.startswith("Progress: ")]

    lines = said()
    assert [" ".join(line.split()[1:5]) for line in lines] in (
        ["first 2 of 2", "second 2 of 2"],
        ["second 2 of 2", "first 2 of 2"],
    )
    assert lines[-1].endswith("in all 4 of 4.")
    assert said("--quiet", "all") == said("--quiet", "progress") == said("--dry-run") == []
