"""Changes without an effect on a result plan no job, for the default and for the paper's configuration; their neighbours do."""

import os
import shutil

import pytest
import yaml
from planning import Project
from workflow_copy import REPOSITORY

pytestmark = pytest.mark.slow

LIBRARY = "workflow/scripts/lossgeometry"


@pytest.fixture(scope="module", params=["config.yaml", "paper.yaml"])
def finished(request, tmp_path_factory) -> Project:
    values = yaml.safe_load((REPOSITORY / "config" / request.param).read_text(encoding="utf-8"))
    project = Project.create(tmp_path_factory.mktemp("finished") / "project", values)
    project.finish()
    return project


@pytest.fixture
def project(finished):
    """The finished project; its sources are put back after the test."""
    yield finished
    shutil.rmtree(finished.root / "workflow")
    shutil.copytree(REPOSITORY / "workflow", finished.root / "workflow")


def replace(project, name, old, new):
    path = project.root / LIBRARY / name
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{name} no longer holds {old!r}"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    os.utime(path, (1_000_000_000, 1_000_000_000))


def edit(project, name):
    """Append code."""
    path = project.root / LIBRARY / name
    path.write_text(path.read_text(encoding="utf-8") + "\n\nADDED_BY_A_TEST = 1\n", encoding="utf-8")


def unused_engine(project):
    """Return an engine that the configuration does not use."""
    stages = (project.experiment[stage].get("engine", {}) for stage in ("rollouts", "evaluation"))
    used = {engine.get("name", "transformers") for engine in stages}
    return next(name for name in ("openai", "transformers") if name not in used)


def a_schema(project):
    replace(project, "settings/models.py", '"arc"]', '"arc", "another"]')
    schemas = project.root / LIBRARY / "problems/schemas"
    shutil.copy(schemas / "plain.py", schemas / "another.py")


def an_engine(project):
    replace(project, "settings/rollouts.py", '"openai"]', '"openai", "another"]')
    engines = project.root / LIBRARY / "generation/engines"
    shutil.copy(engines / "transformers.py", engines / "another.py")


def the_wording_of_an_error_in_an_engine(project):
    replace(
        project, "generation/engines/vllm.py", "vLLM takes {LORA_RANKS[-1]} at most", "vLLM stops at {LORA_RANKS[-1]}"
    )
    replace(project, "generation/engines/vllm.py", 'f"vLLM ended the completion', 'f"vLLM broke off the completion')


def a_device(project):
    replace(project, "devices.py", '"B200"', '"B300": 2500.0,\n    "B200"')


def a_key_at_its_neutral_value(project, default="0.0"):
    replace(
        project,
        "settings/training.py",
        '    threads: int = Field(1, ge=1)\n    """Cores of one training job."""\n',
        '    threads: int = Field(1, ge=1)\n    """Cores of one training job."""\n'
        f'    smoothing: float = Field({default}, ge=0, json_schema_extra={{"neutral": 0.0}})\n    """New."""\n',
    )


def the_wording_of_errors_in_a_shared_file(project):
    replace(project, "files/safetensors.py", 'raise InputError(f"', 'raise InputError(f"Alas: ')


def what_is_printed(project):
    old, new = 'print(f"{len(numbered)} problems")', 'print(f"wrote {len(numbered)} problems")'
    replace(project, "problems/problem_sets.py", old, new)


def a_reexport(project):
    for package in ("lossgeometry", "lossgeometry/geometry", "lossgeometry/generation/engines"):
        path = project.root / "workflow/scripts" / package / "__init__.py"
        text = path.read_text(encoding="utf-8")
        text += '\nfrom lossgeometry.geometry.angles import principal_angles\n\n__all__ = ["principal_angles"]\n'
        path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    "change",
    [
        a_schema,
        an_engine,
        the_wording_of_an_error_in_an_engine,
        a_device,
        a_key_at_its_neutral_value,
        the_wording_of_errors_in_a_shared_file,
        what_is_printed,
        a_reexport,
    ],
)
def test_nothing_runs_after(project, change):
    change(project)
    assert project.plan() == {}


def test_an_edited_engine_that_is_not_used_runs_nothing_and_one_that_is_runs_what_it_made(project):
    edit(project, f"generation/engines/{unused_engine(project)}.py")
    assert project.plan() == {}
    name = project.experiment["evaluation"]["engine"]["name"]
    edit(project, f"generation/engines/{name}.py")
    assert "generate_answers" in project.plan()


def test_another_default_runs_what_reads_it(project):
    a_key_at_its_neutral_value(project, default="0.1")
    plan = project.plan()
    assert (
        2 < len(plan["train_adapter"]) <= len(plan["reduce_adapter"])
    )  # reduced too: what an edit makes of the trained
    assert not plan.keys() & {"build_student", "generate_rollouts", "grade_rollouts", "fetch_prompts", "write_prompts"}


def test_a_changed_default_runs_what_reads_it(project):
    replace(project, "settings/representations.py", "bootstrap: int = Field(400", "bootstrap: int = Field(500")
    plan = project.plan()
    assert "compare_representations" in plan
    assert not plan.keys() & {"extract_representations", "compare_pairs", "train_adapter", "generate_answers"}


def test_a_changed_grader_runs_what_it_judged(project):
    edit(project, "grading/answers.py")
    plan = project.plan()
    assert {"grade_rollouts", "grade_answers"} <= plan.keys()


def test_a_changed_schema_runs_the_problems_that_it_reads(project):
    replace(project, "problems/schemas/gsm8k.py", '"question"', '"problem"')
    plan = project.plan()
    sources = project.experiment["evaluation"]["benchmarks"] | {"probe": project.experiment.get("probe") or {}}
    read = sorted(name for name, source in sources.items() if source.get("schema") == "gsm8k")
    assert sorted(plan.get("fetch_prompts", [])) == read and bool(plan) == bool(read)
