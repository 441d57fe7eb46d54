"""What edits plan: adapters that everything downstream takes, and what a change of one re-runs."""

import pytest
from expected_jobs import NOTHING, REPORT, jobs, on_benchmarks, run, single
from planning import EXPERIMENT, Project

pytestmark = pytest.mark.slow

EDITS = {
    "half": {"of": run("sft"), "scale": 0.5, "random_control": False},
    "rest": {"of": "half", "reject": run("dpo")},
}
MADE = ["edit.half", "edit.rest", "edit.rest.random"]
TABLES = (
    *("tabulate_accuracy", "tabulate_edits", "tabulate_geometry", "tabulate_representations"),
    *("tabulate_runs", "tabulate_sensitivity"),
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    project = Project.create(tmp_path_factory.mktemp("finished") / "project", EXPERIMENT | {"edits": EDITS})
    project.finish()
    return project


def of(runs):
    return jobs(
        derive_adapter=runs,
        reduce_adapter=[run for run in runs if not run.endswith(".random")],  # only in answers
        generate_answers=on_benchmarks(runs),
        grade_answers=on_benchmarks(runs),
    )


def made(plan):
    return {rule: names for rule, names in plan.items() if rule in ("train_adapter", "compare_pairs", *of(MADE))}


def test_edits_are_computed_and_tested_like_runs_and_compared_where_asked(tmp_path):
    project = Project.create(tmp_path / "project")
    project.finish()
    project.set("edits", EDITS)
    plan = project.plan()
    assert made(plan) == of(MADE) and plan["tabulate_edits"] == [""]
    project.set("comparisons.pairs", [[run("sft"), "edit.half"]])
    assert project.plan()["compare_pairs"] == ["edit.half"]


def test_another_factor_re_runs_the_edit_and_what_is_made_of_it(finished, tmp_path):
    project = finished.clone(tmp_path / "project")
    assert project.plan() == NOTHING
    project.set("edits.half.scale", 0.25)
    assert made(project.plan()) == of(MADE)
    project.set("edits.half.scale", 0.5)
    project.set("edits.rest.reject", run("dft"))
    assert made(project.plan()) == of(MADE[1:])


def test_a_removed_edit_runs_no_job_of_another(finished, tmp_path):
    project = finished.clone(tmp_path / "project")
    project.set("edits", {"half": EDITS["half"]})
    plan = project.plan()
    assert made(plan) == NOTHING and set(plan) <= {*TABLES, *single("write_config", *REPORT)}


def test_without_benchmarks_what_was_kept_is_tabulated_alone(tmp_path):
    weights_alone = {"evaluation": {}, "connectivity": {}, "representations": {}, "edits": EDITS}
    project = Project.create(tmp_path / "project", EXPERIMENT | weights_alone)
    plan = project.plan()
    assert plan["tabulate_edits"] == [""] and plan["derive_adapter"] == ["edit.half", "edit.rest"]
    project.finish()
    assert not (project.root / "results/plan/tables/edit_effects.csv").exists()


def test_scaling_to_a_divergence_asks_the_model_and_the_bases_answers_alone(finished, tmp_path):
    project = finished.clone(tmp_path / "project")
    project.set("behaviour", {"problems": 4, "benchmark": "hard"})
    project.finish()
    project.set("edits.moved", {"of": run("sft"), "to_kl": 0.003, "random_control": False})
    plan = project.plan()
    assert plan["scale_adapter"] == ["edit.moved"] and "derive_adapter" not in plan
    assert plan["measure_behaviour"] == ["edit.moved"]
    assert plan["generate_answers"] == sorted(on_benchmarks(["edit.moved"]))
    project.finish()
    project.module("behaviour/scaling.py").open("a").write("\nADDED = 1\n")
    assert "scale_adapter" in project.plan() and not project.plan().keys() & {"train_adapter", "derive_adapter"}
