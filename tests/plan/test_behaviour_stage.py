"""What the stage of behaviour plans, and what a change re-runs of it."""

import pytest
from expected_jobs import NOTHING, REPORT, RUNS, jobs, run, single
from planning import EXPERIMENT, Project

pytestmark = pytest.mark.slow

KINDS = dict.fromkeys(("methods", "seeds", "learning_rates", "adapters"), False)
BEHAVIOUR = {"problems": 4, "comparisons": {**KINDS, "pairs": [[run("sft"), run("dpo")]]}}
ROW = run("dpo")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    project = Project.create(tmp_path_factory.mktemp("finished") / "project")
    project.finish()
    return project


def chosen(plan):
    return {rule: names for rule, names in plan.items() if "behaviour" in rule}


def test_asking_for_it_measures_every_run_and_nothing_else(finished, tmp_path):
    project = finished.clone(tmp_path / "project")
    project.set("behaviour", BEHAVIOUR)
    expected = jobs(measure_behaviour=["base", *RUNS], compare_behaviour=[ROW])
    assert project.plan() == expected | single("tabulate_behaviour", "write_config", *REPORT)


def test_another_loss_is_measured_alone(tmp_path):
    project = Project.create(tmp_path / "project", EXPERIMENT | {"behaviour": BEHAVIOUR})
    project.finish()
    assert project.plan() == NOTHING
    project.set("methods.dpo.options.beta", 0.2)
    own = [run("dpo", seed) for seed in ("42", "43")]
    expected = jobs(measure_behaviour=own, compare_behaviour=[ROW]) | single("tabulate_behaviour")
    assert chosen(project.plan()) == expected
