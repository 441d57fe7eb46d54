"""Where rollouts and problems come from decides the jobs: a file of rollouts, an endpoint, local problems."""

import os
import re

import pytest
from planning import Project

from lossgeometry.errors import ConfigError
from lossgeometry.experiment.config import load_config


@pytest.fixture
def project(tmp_path):
    made = Project.create(tmp_path / "project")
    (made.root / "mine.jsonl").write_text('{"problem": "1+1", "answer": "2", "completion": "2"}\n')
    return made


def from_file(project):
    project.experiment.pop("prompts")
    project.experiment.pop("teacher")
    project.experiment["rollouts"] = {"file": "mine.jsonl", "shards": 3, "heldout_prompts": 0}
    project.write()


def test_imported_rollouts_bring_their_prompts_and_need_no_teacher(project):
    from_file(project)
    plan = project.plan()
    assert plan["import_rollouts"] == [""] and plan["grade_rollouts"] == [""]
    assert sorted(plan["write_prompts"]) == ["easy", "hard"]
    assert not plan.keys() & {"generate_rollouts", "provide_teacher", "build_teacher", "fetch_prompts"}


def test_a_changed_file_is_imported_again_and_nothing_is_when_it_is_not(project):
    from_file(project)
    project.finish()
    assert project.plan() == {}
    file = project.root / "mine.jsonl"
    file.write_text(file.read_text() * 2)
    os.utime(file, (2e9, 2e9))
    plan = project.plan()
    assert plan["import_rollouts"] == [""] and "build_student" not in plan and "train_adapter" in plan


def test_a_file_beside_prompts_of_their_own_is_refused(project):
    project.experiment["rollouts"]["file"] = "mine.jsonl"
    with pytest.raises(ConfigError, match=re.escape("rollouts.file: the file brings the problems")):
        load_config(project.experiment)


def test_an_endpoint_needs_no_weights_and_its_speed_may_change(project):
    project.experiment["teacher"] = {"source": "endpoint", "name": "big"}
    project.set("rollouts.engine", {"name": "openai", "base_url": "http://127.0.0.1:1/v1"})
    plan = project.plan()
    assert not plan.keys() & {"provide_teacher", "build_teacher"} and len(plan["generate_rollouts"]) == 2
    project.finish()
    project.set("rollouts.engine.batch_size", 7)
    project.set("rollouts.engine.timeout_seconds", 30)
    assert not project.plan().keys() & {"generate_rollouts", "grade_rollouts", "train_adapter"}
    project.set("rollouts.sampling.max_new_tokens", 50)
    assert "generate_rollouts" in project.plan()


def test_an_endpoint_without_an_address_is_refused(project):
    project.experiment["teacher"] = {"source": "endpoint", "name": "big"}
    project.experiment["rollouts"]["engine"] = {"name": "openai"}
    with pytest.raises(ConfigError, match="rollouts: engine: openai needs base_url"):
        load_config(project.experiment)


def test_local_problems_are_inputs(project):
    block = {"source": "file", "name": "mine.jsonl"}
    project.set("evaluation.benchmarks.easy", block)
    project.finish()
    assert project.plan() == {}
    os.utime(project.root / "mine.jsonl", (2e9, 2e9))
    (project.root / "mine.jsonl").write_text("{}\n")
    os.utime(project.root / "mine.jsonl", (2e9, 2e9))
    assert project.plan()["fetch_prompts"] == ["easy"]
