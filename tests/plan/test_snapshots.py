"""What snapshots plan: kept by the training that passes them, followed in one job, and measured only where they are named."""

import pytest
from expected_jobs import NOTHING, RUNS, jobs, on_benchmarks, run
from planning import EXPERIMENT, Project

from lossgeometry.planning.reasons import why

pytestmark = pytest.mark.slow

EXPENSIVE = {
    *("reduce_adapter", "generate_answers", "measure_endpoints", "interpolate_pairs", "extract_representations"),
    *("compare_pairs", "compare_representations"),
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    training = EXPERIMENT["training"] | {"snapshots": [2, 4]}
    project = Project.create(tmp_path_factory.mktemp("finished") / "project", EXPERIMENT | {"training": training})
    project.finish()
    return project


def test_snapshots_are_kept_and_followed_and_nothing_else(finished):
    plain = Project.create(finished.root.parent / "plain")
    plan, without = (
        Project(finished.root, finished.experiment).plan("--configfile", "config/plan.yaml", "--forceall"),
        plain.plan(),
    )
    assert plan == without | {"tabulate_trajectories": [""]}
    kept = {path.parent.name for path in finished.outputs if ".t" in path.parent.name}
    assert kept == {f"{name}.t{step}" for name in RUNS for step in (2, 4)}


def test_a_step_that_is_added_trains_again_and_says_so_and_one_that_is_removed_does_not(finished, tmp_path):
    project = finished.clone(tmp_path / "project")
    assert project.plan() == NOTHING
    project.set("training.snapshots", [2])
    plan = project.plan()
    assert plan["tabulate_trajectories"] == [""] and not {"train_adapter", *EXPENSIVE} & set(plan)
    project.set("training.snapshots", [2, 4, 6])
    planned = [job for job in project.jobs() if job["rule"] == "train_adapter"]
    assert [job["wildcards"] for job in planned] == [(name,) for name in sorted(RUNS)]
    assert why([job["reason"] for job in planned], {}) == "snapshots at step 6"


def test_a_snapshot_that_is_named_is_measured_like_a_run(finished, tmp_path):
    project, early = finished.clone(tmp_path / "project"), f"{run('sft')}.t2"
    project.set("comparisons.pairs", [[early, run("dpo")]])
    plan = project.plan()
    assert plan["reduce_adapter"] == [early] and plan["compare_pairs"] == [early]
    assert "train_adapter" not in plan and "generate_answers" not in plan
    project.set("evaluation.snapshots", [early])
    assert project.plan()["generate_answers"] == jobs(generate_answers=on_benchmarks([early]))["generate_answers"]
    project.set("edits.early", {"of": f"{run('dpo')}.t4", "scale": 2.0, "random_control": False})
    plan = project.plan()
    assert plan["derive_adapter"] == ["edit.early"] and "train_adapter" not in plan
