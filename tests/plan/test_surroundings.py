"""What lies outside the configuration and the code, and decides results: models in folders."""

import os
from pathlib import Path

import pytest
from expected_jobs import NOTHING, REFERENCE, RUNS, SEEDS, jobs, on_benchmarks, single, trained
from planning import EXPERIMENT, Project

EVERYONE = on_benchmarks(["base", *RUNS])
AFTER_STUDENT = (
    trained(RUNS) | REFERENCE | jobs(initialise_adapter=SEEDS, generate_answers=EVERYONE, grade_answers=EVERYONE)
)
AFTER_TEACHER = trained(RUNS) | REFERENCE | jobs(generate_rollouts=["1-of-2", "2-of-2"]) | single("grade_rollouts")


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
