"""What the stage of behaviour plans, and what a change re-runs of it."""

import pytest
from expected_jobs import NOTHING, REPORT, RUNS, jobs, on_benchmarks, run, single
from planning import EXPERIMENT, Project

pytestmark = pytest.mark.slow

KINDS = dict.fromkeys(("methods", "seeds", "learning_rates", "adapters"), False)
BEHAVIOUR = {"problems": 4, "comparisons": {**KINDS, "pairs": [[run("sft"), run("dpo")]]}}
ROW = run("dpo")


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


def test_forgetting_asks_for_the_other_skill_and_the_runs_read_its_solutions(finished, tmp_path):
    project = finished.clone(tmp_path / "project")
    project.set("behaviour", BEHAVIOUR)
    project.set("evaluation.benchmarks.other", {"source": "generated", "skill": "ordering", "count": 8, "seed": 2})
    project.set("forgetting", {"benchmark": "other"})
    plan = project.plan()
    answers = on_benchmarks(["base", *RUNS], ["other"])
    assert plan["generate_answers"] == plan["grade_answers"] == sorted(answers)
    assert plan["measure_behaviour"] == sorted(["base", *RUNS]) and plan["tabulate_forgetting"] == [""]
    assert not plan.keys() & {"train_adapter", "reduce_adapter", "extract_representations", "build_student"}
    project.finish()
    assert project.plan() == NOTHING
    # Solutions are made with their problems; a text of the user's is read in their place.
    text = project.root / "passages.txt"
    text.write_text("one passage\nanother one\n", encoding="utf-8")
    project.set("forgetting", {"benchmark": "other", "text": str(text)})
    assert set(project.plan()) >= {"measure_behaviour", "tabulate_forgetting"}
    project.finish()
    text.write_text("one passage\nanother\n", encoding="utf-8")
    assert "measure_behaviour" in project.plan() and "train_adapter" not in project.plan()
