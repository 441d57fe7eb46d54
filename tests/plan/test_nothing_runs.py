"""What must re-run nothing: times, copies, remarks, the order of keys, and code that no result can depend on."""

import os
import shutil

import pytest
import yaml
from expected_jobs import NOTHING
from planning import CONFIG, edit
from workflow_copy import SOURCES

pytestmark = pytest.mark.slow


def touch_everything(project):
    for name in SOURCES:
        for path in [project.root / name, *(project.root / name).rglob("*")]:
            if path.exists():
                os.utime(path)
    renew_results(project)


def renew_results(project):
    """Give every result the time of now, as a copy does: downstream first, so that inputs are newer than what they made."""
    for output in map(project.root.joinpath, reversed(project.outputs)):
        for path in [
            output,
            *(output.rglob("*") if output.is_dir() else ()),
        ]:  # also Snakemake's record of a folder's time
            os.utime(path)


def copy_without_times(project):
    """As `cp -r`, `scp -r` or a bucket does; the folder that Snakemake keeps its records in comes along."""
    copied = project.root.with_name("copied")
    shutil.copytree(project.root, copied, copy_function=shutil.copyfile)
    project.root = copied
    renew_results(project)


def clone_afresh(project):
    """Leave the results as they are; every source is written anew, with the time of now."""
    for name in SOURCES:
        for path in [project.root / name, *(project.root / name).rglob("*")]:
            if path.is_file():
                content = path.read_bytes()
                path.unlink()
                path.write_bytes(content)


def comment(project):
    for name in ("training/run.py", "methods/dpo.py", "train_adapter.py", "geometry/angles.py"):
        edit(project.module(name), "\n# A remark.\n")


def reword_docstrings(project):
    for name in ("training/run.py", "methods/dpo.py", "geometry/angles.py"):
        path = project.module(name)
        text = path.read_text(encoding="utf-8")
        assert text.startswith('"""') and text.count('    """') > 0
        path.write_text(
            text.replace('"""', '"""Reworded. ', 1).replace('    """', '    """Reworded. ', 1), encoding="utf-8"
        )


def turn_around(value):
    """Turn the order of all keys around, but of methods and benchmarks, whose order is that of tables and pairs."""
    if not isinstance(value, dict):
        return value
    items = list(value.items())
    return {key: inner if key in ("methods", "benchmarks") else turn_around(inner) for key, inner in reversed(items)}


def reorder_keys(project):
    turned = turn_around(project.experiment)
    assert turned == project.experiment and list(turned) != list(project.experiment)
    (project.root / CONFIG).write_text(yaml.safe_dump(turned, sort_keys=False), encoding="utf-8")


def write_out_a_default(project):
    project.set("lora", {"rank": 8, "target_modules": ["q_proj", "k_proj", "v_proj", "o_proj"]})


def change_documents_and_tests(project):
    for name in ("config/README.md", "README.md", "tests/plan/test_nothing_runs.py", "CONTRIBUTING.md"):
        (project.root / name).parent.mkdir(parents=True, exist_ok=True)
        (project.root / name).write_text("Something else.\n", encoding="utf-8")


def edit_what_cannot_change_a_result(project):
    for name in ("atomic", "locks", "resuming", "stopping"):
        edit(project.module(f"files/{name}.py"))
    for name in ("errors.py", "script.py", "planning/plan.py", "experiment/config.py"):
        edit(project.module(name))


def add_an_unused_method(project):
    shutil.copy(project.module("methods/sft.py"), project.module("methods/sft.py").with_name("unused.py"))


def add_a_grader_and_change_an_unused_one(project):
    graders = project.module("grading/graders/exact.py").parent
    shutil.copy(graders / "exact.py", graders / "unused.py")
    edit(graders / "choice.py")


@pytest.mark.parametrize(
    "change",
    [
        touch_everything,
        copy_without_times,
        clone_afresh,
        comment,
        reword_docstrings,
        reorder_keys,
        write_out_a_default,
        change_documents_and_tests,
        edit_what_cannot_change_a_result,
        add_an_unused_method,
        add_a_grader_and_change_an_unused_one,
    ],
)
def test_nothing_runs_after(project, change):
    change(project)
    assert project.plan() == NOTHING
