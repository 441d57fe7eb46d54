"""Where rollouts and problems come from decides the jobs: a file of rollouts, an endpoint, local problems."""

import os
import re

import pytest
from planning import Project

from lossgeometry.errors import ConfigError
from lossgeometry.experiment.loading import load_config

pytestmark = pytest.mark.slow


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
    assert plan["import_rollouts"] == plan["grade_rollouts"] == plan["grade_heldout"] == [""]
    assert sorted(plan["write_prompts"]) == ["easy", "hard", "probe"]
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


def from_endpoint(project, **engine):
    project.experiment["teacher"] = {"source": "endpoint", "name": "big"}
    project.set("rollouts.engine", {"name": "openai", "base_url": "http://127.0.0.1:1/v1", **engine})


def test_an_endpoint_needs_no_weights_and_its_speed_may_change(project):
    from_endpoint(project)
    plan = project.plan()
    assert not plan.keys() & {"provide_teacher", "build_teacher", "generate_rollouts"} and len(plan["ask_teacher"]) == 2
    project.finish()
    assert project.plan() == {}
    for key, value in {"batch_size": 7, "timeout_seconds": 30, "key_variable": "OTHER"}.items():
        project.set(f"rollouts.engine.{key}", value)
    assert not project.plan().keys() & {"ask_teacher", "grade_rollouts", "train_adapter"}
    project.set("rollouts.sampling.max_new_tokens", 50)
    assert "ask_teacher" in project.plan()


@pytest.mark.parametrize("key, value", [("prices", {"prompt": 1.0, "completion": 2.0}), ("max_refused", 0.1)])
def test_a_price_list_concerns_the_tables_alone(project, key, value):
    from_endpoint(project)
    project.finish()
    project.set(f"rollouts.engine.{key}", value)
    plan = project.plan()
    assert plan["grade_rollouts"] == [""] and "ask_teacher" not in plan


@pytest.mark.parametrize("key, value", [("body", {"thinking": {"type": "disabled"}}), ("reasoning", "keep")])
def test_what_is_asked_and_what_is_kept_concern_the_completions(project, key, value):
    from_endpoint(project)
    project.finish()
    project.set(f"rollouts.engine.{key}", value)
    assert {"ask_teacher", "grade_rollouts", "train_adapter"} <= project.plan().keys()


REFUSED = [
    (
        {"base_url": "http://api.example.com/v1"},
        "rollouts.engine: base_url would send the key and the data in the clear",
    ),
    ({"base_url": "https://u:pass@api.example.com/v1"}, "rollouts.engine: base_url must hold no user, password"),
    ({"body": {"temperature": 1.0}}, "rollouts.engine: body.temperature is decided by rollouts.sampling"),
    ({"body": {"messages": []}}, "rollouts.engine: body.messages is set by the workflow"),
    (
        {"reasoning_template": "{answer}{reasoning}"},
        "rollouts.engine: reasoning_template needs {reasoning} and, after it",
    ),
    ({"batch_size": 1}, "rollouts: shards: every shard needs a request in flight"),
    ({"name": "transformers", "reasoning": "keep"}, "rollouts.engine: reasoning is for an endpoint"),
    ({"name": "vllm", "body": {}}, "rollouts.engine: body is for an endpoint"),
]


@pytest.mark.parametrize("engine, sentence", REFUSED, ids=range(len(REFUSED)))
def test_what_an_endpoint_cannot_be_told_is_refused(project, engine, sentence):
    from_endpoint(project, **engine)
    with pytest.raises(ConfigError, match=re.escape(sentence)) as raised:
        load_config(project.experiment)
    assert "pass@" not in str(raised.value)


def test_kept_reasoning_needs_room_in_training(project):
    from_endpoint(project, reasoning="keep")
    project.set("rollouts.sampling.max_new_tokens", project.experiment["training"].get("max_length", 256))
    with pytest.raises(ConfigError, match="training.max_length: kept reasoning is trained on"):
        load_config(project.experiment)


def test_jobs_of_engines_in_this_process_are_told_nothing_about_endpoints(project):
    told = load_config(project.experiment).model_dump(mode="json")
    for block in (told["rollouts"]["engine"], told["evaluation"]["engine"]):
        assert list(block) == ["name", "batch_size"]


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
    assert project.plan()["fetch_prompts"] == ["easy", "probe"]
