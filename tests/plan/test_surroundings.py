"""What lies outside the configuration and the code, and decides results: models in folders, packages, devices."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from expected_jobs import GRADED, NOTHING, REFERENCE, RUNS, SAMPLED, SEEDS, jobs, on_benchmarks, single, trained
from planning import CONFIG, EXPERIMENT, Project
from workflow_copy import WorkflowCopy

from lossgeometry.errors import ChangedCode
from lossgeometry.planned import require_planned_code
from lossgeometry.training.section import surroundings

pytestmark = pytest.mark.slow

EVERYONE = on_benchmarks(["base", *RUNS])
AFTER_STUDENT = (
    trained(RUNS)
    | REFERENCE
    | single("tokenize_rollouts")
    | jobs(initialise_adapter=SEEDS, generate_answers=EVERYONE, grade_answers=EVERYONE)
)
AFTER_TEACHER = trained(RUNS) | REFERENCE | SAMPLED


def save_weights(folder: Path, content: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "model.safetensors").write_text(content)
    (folder / "config.json").write_text("{}")


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        ("student", AFTER_STUDENT | single("fetch_student")),
        ("teacher", AFTER_TEACHER | single("provide_teacher")),
    ],
)
def test_weights_that_change_in_a_folder(tmp_path, role, expected):
    folder = tmp_path / "weights"
    save_weights(folder, "first")
    project = Project.create(tmp_path / "project", EXPERIMENT | {role: {"source": "folder", "name": str(folder)}})
    project.finish()
    os.utime(folder / "model.safetensors")
    assert project.plan() == NOTHING
    save_weights(folder, "other")
    assert project.plan() == expected


def upgrade(project: Project, package: str) -> None:
    """Let another version of a package be found first."""
    folder = project.root / "workflow" / "scripts" / f"{package.replace('-', '_')}-99.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 99.0\n")


@pytest.mark.parametrize(
    ("package", "expected"),
    [
        ("trl", trained(RUNS)),
        ("sympy", trained(RUNS) | REFERENCE | GRADED | jobs(grade_answers=EVERYONE)),
        ("requests", NOTHING),
    ],
)
def test_an_upgraded_package_runs_what_computes_with_it_until_it_is_accepted(finished, tmp_path, package, expected):
    project = finished.clone(tmp_path / "project")
    upgrade(project, package)
    assert project.plan() == expected
    accept = [sys.executable, "workflow/scripts/accept_results.py", "--configfile", CONFIG]
    environment = os.environ | {"PYTHONPATH": str(project.root / "workflow" / "scripts")}
    subprocess.run(accept, cwd=project.root, check=True, capture_output=True, env=environment)
    assert project.plan() == NOTHING


def test_every_job_that_computes_with_numpy_is_told_its_version(finished, tmp_path):
    project = finished.clone(tmp_path / "project")
    upgrade(project, "numpy")
    plan = project.plan()
    assert {"train_adapter", "reduce_adapter", "compare_pairs", "compare_representations"} <= plan.keys()
    assert not plan.keys() & {"write_prompts", "write_config"}


def test_a_job_whose_packages_changed_after_it_was_planned_is_refused():
    with pytest.raises(ChangedCode, match="^numpy changed after this job was planned; run snakemake again"):
        require_planned_code({"numpy": "0.1"})


def test_the_summary_warns_where_runs_were_trained_on_several_kinds_of_device():
    runs = pd.DataFrame({"device": ["H100", "H100", None], "versions": ["torch 2", "torch 2", None]})
    assert surroundings(runs) == ["Every run was trained on the same kind of device: H100."]
    runs.loc[1, ["device", "versions"]] = ["A*100", "torch 3"]
    devices, versions = surroundings(runs)
    assert devices.startswith(
        r"**Warning: the runs were trained on 2 kinds of device** (A\*100: 1 runs; H100: 1 runs)."
    )
    assert versions.startswith("**Warning: the runs were trained on 2 sets of package versions** (torch 2: 1 runs;")


def test_jobs_on_this_machine_share_its_gpus_whatever_the_cores(tmp_path):
    fake = tmp_path / "bin" / "nvidia-smi"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\necho 'H100, 81559, GPU-a'\necho 'H100, 81559, GPU-b'\n")
    fake.chmod(0o755)
    environment = os.environ | {"PATH": f"{fake.parent}{os.pathsep}{os.environ['PATH']}"}
    workflow = WorkflowCopy(tmp_path / "project", EXPERIMENT, environment)
    said = workflow.run("--cores", "64", workflow.path("config.yaml"))
    assert re.search(r"Provided resources: gpu=.*\b2\b", said)
