"""The plan that is printed: jobs per rule and what they would cost, going by what earlier jobs recorded."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from planning import CONFIG, Project
from snakemake.iocontainers import Namedlist
from workflow_copy import REPOSITORY

from lossgeometry.planning.plan import Cost, PlannedJob, costs, format_plan

BENCHMARKS = Path("results/x/benchmarks")


def train(run: str, threads: int = 8, gpus: int = 1) -> PlannedJob:
    return PlannedJob("train_adapter", (run,), (run,), threads, gpus, BENCHMARKS / f"train_adapter/{run}.tsv")


def record(project: Path, name: str, *seconds: float, cpu: str = "NA") -> None:
    path = project / BENCHMARKS / name
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = "".join(f"{value}\t0:00:01\t-\t{cpu}\n" for value in seconds)
    path.write_text(f"s\th:m:s\tmax_rss\tcpu_time\n{rows}", encoding="utf-8")


def test_a_job_costs_what_it_took_before_and_a_new_one_the_mean_of_its_rule(tmp_path):
    record(tmp_path, "train_adapter/a.tsv", 3600)
    record(tmp_path, "train_adapter/b.tsv", 7200)
    record(tmp_path, "train_adapter/killed.tsv")
    assert costs([train("a"), train("new")], tmp_path) == [Cost("train_adapter", 2, 0, 8 * (1 + 1.5), 1 + 1.5)]


def test_a_rule_without_a_record_is_unknown_and_not_free(tmp_path):
    record(tmp_path, "grade.tsv", 36)
    grade = PlannedJob("grade", (), ("g",), 2, 0, BENCHMARKS / "grade.tsv")
    assert costs([train("a"), grade], tmp_path) == [Cost("train_adapter", 1, 1, 0, 0), Cost("grade", 1, 0, 0.02, 0)]
    text = format_plan([train("a"), grade], tmp_path)
    assert re.search(r"^train_adapter +1 +\? +\?$", text, re.M)
    assert re.search(r"^total +2 +0\.02 +0\.00$", text, re.M)
    assert text.endswith("Not in the total: 1 jobs of rules that were never run here.")


def test_cores_are_counted_by_the_time_that_they_worked(tmp_path):
    record(tmp_path, "train_adapter/a.tsv", 3600, cpu="1800")
    assert costs([train("a"), train("new")], tmp_path) == [Cost("train_adapter", 2, 0, 1.0, 2.0)]


def test_nothing_known_is_a_question_mark_and_little_is_not_zero(tmp_path):
    assert re.search(r"^total +1 +\? +\?$", format_plan([train("a")], tmp_path), re.M)
    record(tmp_path, "train_adapter/a.tsv", 3, cpu="1")
    assert re.search(r"^total +1 +<0\.01 +<0\.01$", format_plan([train("a")], tmp_path), re.M)


def test_what_was_rehearsed_counts_until_a_run_was_trained(tmp_path):
    assert costs([train("a"), train("b")], tmp_path, {"a": 7200.0}) == [Cost("train_adapter", 2, 1, 2.0, 2.0)]
    record(tmp_path, "train_adapter/b.tsv", 3600, cpu="3600")
    assert costs([train("a"), train("b")], tmp_path, {"a": 7200.0}) == [Cost("train_adapter", 2, 0, 2.0, 2.0)]


def test_the_command_prints_the_jobs_of_the_default_experiment(tmp_path):
    project = Project.create(tmp_path / "project")
    command = [sys.executable, "workflow/scripts/print_plan.py", "--configfile", CONFIG]
    printed = subprocess.run(command, cwd=project.root, capture_output=True, text=True, check=True).stdout
    assert re.search(r"^train_adapter +6 ", printed, re.M)
    project.finish()
    printed = subprocess.run(command, cwd=project.root, capture_output=True, text=True, check=True).stdout
    assert printed == "Nothing to do: every result is up to date.\n"


def test_gpus_are_asked_for_where_the_configuration_uses_them(tmp_path):
    project = Project.create(tmp_path / "project")
    project.set("training", {"precision": "bfloat16", "threads": 8})
    assert {rule for rule, gpus in project.gpus().items() if gpus} == {"train_adapter"}


@pytest.fixture(scope="module")
def profiles() -> dict[str, dict]:
    return {
        name: yaml.safe_load((REPOSITORY / "profiles" / name / "config.yaml").read_text(encoding="utf-8"))
        for name in ("default", "slurm")
    }


def test_the_slurm_profile_knows_every_heavy_rule_and_no_other(profiles):
    """Heavy: what loads a model, or handles all the rollouts, answers or weights. SLURM sees no rule that runs locally."""
    rules = "\n".join(path.read_text(encoding="utf-8") for path in (REPOSITORY / "workflow" / "rules").glob("*.smk"))
    known = set(re.findall(r"^ *rule (\w+):", rules, re.M)) | set(re.findall(r" as (\w+) with:", rules))
    light = {rule for rule in known if re.match(r"(write|tabulate|join|fetch|compare_sweeps|provide)", rule)}
    light |= {rule.split(":")[0] for rule in re.split(r"^ *rule ", rules, flags=re.M)[1:] if "localrule: True" in rule}
    assert set(profiles["slurm"]["set-resources"]) == known - light - {"draw_figures"}


def test_the_slurm_profile_asks_for_more_at_each_attempt(profiles):
    for rule, resources in {**profiles["slurm"]["set-resources"], "": profiles["slurm"]["default-resources"]}.items():
        for name in ("mem_mb", "runtime"):
            names = {"input": Namedlist(fromdict={"endpoints": ["a", "b"]}), "min": min, "len": len}
            first, second = (eval(str(resources[name]), names | {"attempt": attempt}) for attempt in (1, 2))
            assert first < second, (rule, name)
    assert profiles["slurm"]["retries"] >= 2


def test_no_rule_retries_by_itself_or_leaves_partial_files(profiles):
    sources = [*(REPOSITORY / "workflow" / "rules").glob("*.smk"), REPOSITORY / "Snakefile"]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    for word in (r"retries:", r"protected\(", r"(?<!\.)\bupdate\(", r"^\s*checkpoint ", r"^\s*run:", r"^\s*shell:"):
        assert not re.search(word, text, re.M), word
    for profile in profiles.values():
        assert "keep-incomplete" not in profile
