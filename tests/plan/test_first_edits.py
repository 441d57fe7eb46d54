"""The first edits of somebody new: each works, or is told in one sentence."""

import re
import subprocess
import sys

import pytest
import yaml
from expected_jobs import CHANGED_CONFIG, RUNS, TABLES, jobs, rows_of, run, single
from planning import CONFIG, EXPERIMENT, Project

from lossgeometry.stages import STAGES

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def fresh(tmp_path_factory) -> Project:
    return Project.create(tmp_path_factory.mktemp("fresh") / "project")


def say(project, *command):
    return subprocess.run([sys.executable, *command], cwd=project.root, capture_output=True, text=True, check=False)


def print_plan(project, *arguments):
    return say(project, "workflow/scripts/print_plan.py", *arguments)


def layer(project, name, values):
    text = values if isinstance(values, str) else yaml.safe_dump(values)
    (project.root / name).write_text(text, encoding="utf-8")
    return name


@pytest.fixture(scope="module")
def default(fresh):
    return fresh.plan("all")


def seeds(jobs):
    return {name.rpartition(".s")[2] for name in jobs["train_adapter"]}


def test_another_seed_on_the_command_line(fresh, default):
    plan = fresh.plan("--config", "seeds=[1]")
    assert plan["initialise_adapter"] and "1" in plan["initialise_adapter"]
    assert {name.rpartition(".s")[0] for name in plan["train_adapter"]} == {
        name.rpartition(".s")[0] for name in default["train_adapter"]
    }


def test_another_learning_rate_on_the_command_line(fresh):
    trained = fresh.plan("--config", "methods={sft: {learning_rate: 2e-3}}")["train_adapter"]
    assert "sft.lr0.002.s42" in trained and "sft.lr0.001.s42" not in trained and "dpo.lr0.0001.s42" in trained


def test_another_name_for_the_experiment(fresh, default):
    assert fresh.plan("--config", "experiment=mine") == default
    assert all(
        path.startswith("results/mine/") for job in fresh.jobs("--config", "experiment=mine") for path in job["outputs"]
    )


@pytest.mark.parametrize("values", [{"seeds": [1]}, {"experiment": "mine", "seeds": [1]}])
def test_a_partial_file_lies_over_the_default(fresh, values):
    plan = fresh.plan("--configfile", layer(fresh, "partial.yaml", values))
    assert plan == fresh.plan("--config", "seeds=[1]")


def test_a_later_file_lies_over_an_earlier_one(fresh, default):
    files = ["config/config.yaml", layer(fresh, "partial.yaml", {"evaluation": {"samples": 0}})]
    assert fresh.plan("--configfile", *files) == default
    own = fresh.plan("--configfile", CONFIG, layer(fresh, "seed.yaml", {"seeds": [1]}))
    assert seeds(own) == {"1"} and {name.partition(".")[0] for name in own["train_adapter"]} == set(
        EXPERIMENT["methods"]
    )


REFUSED = [
    (
        {"experiment": "mine", "methods": {"sft": {"learning_rate": 1e-3}}},
        "prompts: methods are trained on rollouts; say where the problems come from.",
    ),
    ({"geometry": {"reference": "stf"}}, "geometry.reference: there is no method or adapter stf; name one of sft, "),
    (
        {"connectivity": {"comparisons": {"pairs": [["sft", "dpp"]]}}},
        "connectivity.comparisons: there is no dpp; name one of sft",
    ),
    ("seeds: [1\nmethods: {}\n", "wrong.yaml, line 2, column 8: "),
    ("experiment: a\n  seeds: [1]\n", "wrong.yaml, line 2, column 8: "),
    ("- sft\n", "wrong.yaml holds no keys; write `key: value` lines"),
]


@pytest.mark.parametrize(("values", "sentence"), REFUSED, ids=range(len(REFUSED)))
def test_what_cannot_run_is_told_in_one_sentence(fresh, values, sentence):
    said = print_plan(fresh, "--configfile", layer(fresh, "wrong.yaml", values))
    assert said.returncode == 1 and sentence in said.stderr, said.stderr
    assert said.stderr.startswith("The configuration cannot run. ") and said.stderr.count("\n") == 1


def test_a_broken_default_is_told_with_its_line(tmp_path):
    project = Project.create(tmp_path / "project")
    layer(project, "config/config.yaml", "experiment: tiny\nseeds: [1\nmethods: {}\n")
    said = say(project, "-m", "snakemake", "-n")
    assert said.returncode == 1 and "config/config.yaml, line 3, column 8: " in said.stderr
    assert said.stderr.count("\n") <= 2, said.stderr


def test_directions_above_the_rank_are_told(fresh):
    said = say(fresh, "-m", "snakemake", "-n", "--config", "geometry={k: 9}")
    assert "geometry.k is 9, above lora.rank: angles are undefined there, and given for 8 directions" in said.stderr


def test_every_stage_has_a_target_of_its_name(fresh):
    listed = say(fresh, "-m", "snakemake", "--list-target-rules").stdout.split()
    wanted = {stage.block for stage in STAGES if stage.block}
    others = {"models", "adapters", "deltas", "pairs", "evaluations", "tables", "figures", "summary", "explorer"}
    assert wanted | others <= set(listed)
    plan = fresh.plan("representations", "--configfile", CONFIG)
    assert "tabulate_representations" in plan and not plan.keys() & {"tabulate_connectivity", "write_summary"}


# Why


def test_the_plan_says_why_in_one_line_a_rule(finished, tmp_path):
    project = finished.clone(tmp_path / "project")
    project.set("methods.dpo.options.beta", 0.2)
    module = project.module("geometry/angles.py")
    module.write_text(module.read_text(encoding="utf-8") + "\n\nADDED_BY_A_TEST = 1\n", encoding="utf-8")
    said = print_plan(project, "--configfile", CONFIG).stdout
    assert re.search(r"^train_adapter +2 .*  options\.beta 0\.1 -> 0\.2$", said, re.M), said
    assert re.search(rf"^compare_pairs +{len(rows_of(RUNS))} .*  geometry/angles\.py$", said, re.M), said
    assert re.search(r"^reduce_adapter +2 .*  after train_adapter$", said, re.M), said
    assert re.search(r"^write_config +1 .*  methods\.dpo\.options\.beta 0\.1 -> 0\.2$", said, re.M), said
    assert max(map(len, said.splitlines())) < 200


def test_a_changed_input_and_a_missing_file_are_named(finished, tmp_path):
    project = finished.clone(tmp_path / "project")
    (project.root / f"results/plan/deltas/{run('dpo')}.safetensors").write_text("another update", encoding="utf-8")
    (project.root / f"results/plan/representations/{run('sft')}.safetensors").unlink()
    said = print_plan(project, "--configfile", CONFIG).stdout
    assert re.search(
        rf"^compare_pairs +{len(rows_of([run('dpo')]))} .*  results/plan/deltas/dpo.lr0.0001.s42.safetensors changed$",
        said,
        re.M,
    ), said


def test_snakemake_itself_prints_no_whole_dictionary(finished, tmp_path):
    project = finished.clone(tmp_path / "project")
    project.set("methods.dpo.options.beta", 0.2)
    done = say(project, "-m", "snakemake", "-n", "--configfile", CONFIG)
    said = [line for line in (done.stdout + done.stderr).splitlines() if "eason" in line]
    assert any("options.beta 0.1 -> 0.2" in line for line in said)
    assert not any("{" in line for line in said)


def test_a_method_of_one_seed_that_is_removed_drops_out_of_every_table(tmp_path):
    project = Project.create(tmp_path / "project", EXPERIMENT | {"seeds": [42]})
    project.finish()
    project.set("methods", {name: method for name, method in EXPERIMENT["methods"].items() if name != "dft"})
    row = [run("dpo")]  # the pairs of one job, of which one is no longer there
    assert project.plan() == CHANGED_CONFIG | single(
        *(set(TABLES) - {"compare_sweeps", "tabulate_sensitivity"})
    ) | jobs(compare_pairs=row, interpolate_pairs=row, compare_representations=row)


def test_a_table_that_is_no_longer_asked_for_is_removed(finished, tmp_path):
    project = finished.clone(tmp_path / "project")
    sweeps = project.root / "results/plan/tables/seeds.csv"
    runs = sweeps.with_name("runs.csv")
    assert sweeps.exists() and runs.exists()
    project.set("seeds", [42])
    done = say(project, "-m", "snakemake", "results/plan/config.yaml", "--cores", "1", "--configfile", CONFIG)
    assert done.returncode == 0, done.stderr
    assert not sweeps.exists() and runs.exists()
