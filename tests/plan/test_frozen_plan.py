"""Jobs run what was planned: an edited configuration changes nothing under way, and edited code is refused in one sentence."""

import os
import subprocess
import sys
import time

import pytest
import yaml
from planning import CONFIG, Project

from lossgeometry.experiment.loading import load_config

pytestmark = pytest.mark.slow

PROMPTS = "results/plan/prompts"
SNAKEMAKE = [sys.executable, "-m", "snakemake", "--cores", "1", "--configfile", CONFIG]
WAITING = """
    import time

    open("waiting", "w").close()
    while not Path("go").exists():
        time.sleep(0.05)
"""


@pytest.fixture
def project(tmp_path):
    return Project.create(tmp_path / "project")


def edit(path):
    path.write_text(path.read_text(encoding="utf-8") + "\n\nADDED_BY_A_TEST = 1\n", encoding="utf-8")


def freeze(project):
    """Return what the main process hands to its jobs."""
    code = "import sys, json\nfrom lossgeometry.planned import freeze\nprint(freeze(json.load(sys.stdin)))"
    values = load_config(project.experiment).model_dump_json(by_alias=True)
    environment = os.environ | {"PYTHONPATH": str(project.root / "workflow/scripts")}
    done = subprocess.run(
        [sys.executable, "-c", code], input=values, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def start_as_a_cluster_does(project, plan, target):
    """Start a job's process of its own, which reads the workflow again."""
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--mode", "remote", "--force", "--nolock"]
    environment = os.environ | {"LOSSGEOMETRY_PLAN": plan}
    return subprocess.run(
        [*command, "--", target], cwd=project.root, env=environment, capture_output=True, text=True, check=False
    )


def test_a_job_that_starts_later_has_the_configuration_that_was_planned(project):
    plan = freeze(project)
    project.experiment["prompts"]["count"] = 9
    project.write()
    done = start_as_a_cluster_does(project, plan, f"{PROMPTS}/train.jsonl")
    assert done.returncode == 0, done.stderr
    assert len((project.root / PROMPTS / "train.jsonl").read_text(encoding="utf-8").splitlines()) == 64


@pytest.mark.parametrize("name", ["problems/generated.py", "jobs/rollouts.py"])
def test_a_job_that_starts_after_its_code_was_edited_is_refused(project, name):
    plan = freeze(project)
    edit(project.module(name))
    done = start_as_a_cluster_does(project, plan, f"{PROMPTS}/train.jsonl")
    assert done.returncode != 0 and not (project.root / PROMPTS / "train.jsonl").exists()
    log = project.root / "results/plan/logs/write_prompts/train.log"
    said = log.read_text(encoding="utf-8") if log.exists() else done.stderr
    assert f"error: lossgeometry/{name} changed after this job was planned; run snakemake again" in said


def test_on_one_machine_too(project):
    script = project.module("write_prompts.py")
    script.write_text(script.read_text(encoding="utf-8") + WAITING, encoding="utf-8")
    targets = [f"{PROMPTS}/{name}.jsonl" for name in ("train", "heldout")]
    controller = subprocess.Popen(
        [*SNAKEMAKE, "--", *targets], cwd=project.root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    while not (project.root / "waiting").exists():
        assert controller.poll() is None, controller.stdout.read()
        time.sleep(0.05)
    edit(project.module("problems/generated.py"))
    (project.root / CONFIG).write_text(yaml.safe_dump({"experiment": "another"}), encoding="utf-8")
    (project.root / "go").touch()
    said, _ = controller.communicate()
    assert controller.returncode != 0
    assert sorted(path.exists() for path in map(project.root.joinpath, targets)) == [False, True], said
    assert "error: lossgeometry/problems/generated.py changed after this job was planned" in said
