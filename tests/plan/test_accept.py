"""`make accept` records what would run as current, all of it or nothing."""

import subprocess
import sys

import pytest
from expected_jobs import run, runs_of, trained
from planning import CONFIG, Project

pytestmark = pytest.mark.slow

COMMAND = [sys.executable, "workflow/scripts/accept_results.py", "--configfile", CONFIG]


def accept(project):
    return subprocess.run(COMMAND, cwd=project.root, capture_output=True, text=True, check=False)


def test_accepted_results_are_current_and_keep_their_bytes(tmp_path):
    project = Project.create(tmp_path / "project")
    project.finish()
    content = {output: (project.root / output).read_bytes() for output in project.outputs if output.suffix}
    module = project.module("methods/dpo.py")
    module.write_text(module.read_text(encoding="utf-8") + "\n\nADDED_BY_A_TEST = 1\n", encoding="utf-8")
    missing = project.root / f"results/plan/adapters/{run('dpo')}/run.json"
    text = missing.read_bytes()
    missing.unlink()
    refused = accept(project)
    assert refused.returncode == 1 and "so nothing is accepted" in refused.stderr and refused.stderr.count("\n") == 1
    missing.write_bytes(text)
    assert project.plan() == trained(runs_of("dpo")), "a refusal must leave the records alone"
    accepted = accept(project)
    assert accepted.returncode == 0, accepted.stderr
    assert "train_adapter                   2" in accepted.stdout
    assert content == {output: (project.root / output).read_bytes() for output in content}
    assert accept(project).stdout == "Nothing to accept: every result is up to date.\n"
