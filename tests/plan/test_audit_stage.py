"""What the audit plans, and what a change re-runs of it."""

import pytest
from expected_jobs import NOTHING, REPORT, jobs, run, single
from planning import EXPERIMENT, Project

pytestmark = pytest.mark.slow

LATER = run("sft")
AUDIT = {"points": ["initialisation", LATER]}
TABLES = ("tabulate_audit", "tabulate_predictions")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    project = Project.create(tmp_path_factory.mktemp("finished") / "project", EXPERIMENT | {"audit": AUDIT})
    project.finish()
    return project


def own(plan):
    return {rule: names for rule, names in plan.items() if "audit" in rule or "predictions" in rule}


def test_asking_for_it_trains_nothing(tmp_path):
    project = Project.create(tmp_path / "project")
    project.finish()
    project.set("audit.points", ["initialisation"])
    expected = jobs(audit_losses=["initialisation"]) | single(*TABLES, "write_config", *REPORT)
    assert project.plan() == expected


def test_a_finished_one_runs_nothing(finished):
    assert finished.plan() == NOTHING


def test_a_later_point_alone_depends_on_its_adapter(finished, tmp_path):
    """What is predicted at the initialisation has no adapter among its inputs."""
    project = finished.clone(tmp_path / "project")
    project.set("methods.sft.learning_rate", 1e-3)
    project.set("training.warmup_ratio", 0.1)
    assert own(project.plan()) == jobs(audit_losses=[LATER]) | single(*TABLES)


def test_a_loss_and_a_method_file_re_run_the_gradients_of_all(finished, tmp_path):
    """All losses share their passes through the model."""
    both = jobs(audit_losses=["initialisation", LATER]) | single(*TABLES)
    project = finished.clone(tmp_path / "project")
    project.set("methods.rft", {"learning_rate": 1e-3})
    plan = project.plan()
    assert own(plan) == both and plan["train_adapter"] == ["rft.lr0.001.s42", "rft.lr0.001.s43"]
    project = finished.clone(tmp_path / "other")
    project.set("methods.dpo.options.beta", 0.2)
    assert own(project.plan()) == both


def test_shares_and_limits_measure_nothing_again(finished, tmp_path):
    project = finished.clone(tmp_path / "project")
    project.set("audit.shares", [0.5])
    assert set(own(project.plan())) == set(TABLES)
    project = finished.clone(tmp_path / "other")
    project.set("audit.largest_miss", 0.2)
    assert own(project.plan()) == single("tabulate_predictions")


def test_a_composition_trains_its_own_runs_alone(finished, tmp_path):
    """It is a property of a run: the rollouts, and what was trained on all of them, stay."""
    project = finished.clone(tmp_path / "project")
    project.set("rollouts.compose", {"half": {"rows": 64, "right": 0.5}})
    assert project.plan() == single("write_config", *REPORT[3:])
    project.set("methods.sft@half", {"learning_rate": 1e-3, "composition": "half"})
    project.set("methods.dpo@half", {"learning_rate": 1e-4, "composition": "half"})
    plan = project.plan()
    new = [f"{name}@half.lr{rate}.s{seed}" for name, rate in (("sft", "0.001"), ("dpo", "0.0001")) for seed in (42, 43)]
    assert sorted(plan["train_adapter"]) == sorted(new) and "grade_rollouts" not in plan
    # One job compares a run with those before it. The first has none: methods are compared within one composition.
    assert sorted(plan["compare_pairs"]) == sorted(new[1:])
    assert own(plan) == jobs(audit_losses=["initialisation", LATER]) | single(*TABLES)


def test_another_share_trains_the_runs_on_it_again(finished, tmp_path):
    project = finished.clone(tmp_path / "project")
    project.set("rollouts.compose", {"half": {"rows": 64, "right": 0.5}, "most": {"rows": 64, "right": 0.75}})
    for name in ("half", "most"):
        project.set(f"methods.sft@{name}", {"learning_rate": 1e-3, "composition": name, "seeds": [42]})
    project.finish()
    project.set("rollouts.compose.most", {"rows": 64, "right": 0.8})
    assert project.plan()["train_adapter"] == ["sft@most.lr0.001.s42"]
