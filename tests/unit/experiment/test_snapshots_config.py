"""Snapshots in the configuration: which there are, which stages take them, and what is refused before anything runs."""

import json

import pytest

from lossgeometry import jobs
from lossgeometry.errors import ConfigError
from lossgeometry.experiment.loading import load_config

SFT, DPO = "sft.lr0.001.s1", "dpo.lr0.001.s1"


def config(snapshots="log", **more):
    methods = {"sft": {"learning_rate": 1e-3}, "dpo": {"learning_rate": 1e-3, "steps": 20}}
    prompts = {"source": "generated", "count": 8}
    training = {"steps": 40, "snapshots": snapshots}
    values = {"experiment": "x", "seeds": [1], "methods": methods, "prompts": prompts, "training": training}
    return load_config(values | more)


def checkpoints(folder, **configurations):
    for name, values in configurations.items():
        place = folder / name.replace("_", "-")
        place.mkdir(parents=True)
        (place / "adapter_config.json").write_text(json.dumps(values))
    return {"mine": {"checkpoints": str(folder)}}


def test_all_runs_are_kept_after_the_same_steps_before_the_first_end():
    made = config()
    assert made.snapshot_steps == (1, 2, 4, 8, 16)
    assert [run.id for run in made.snapshots[DPO]] == [f"{DPO}.t{step}" for step in made.snapshot_steps]
    assert set(made.runs) == {SFT, DPO} and made.pairs == [(SFT, DPO)], "no stage takes one that it does not name"
    assert config((8, 4, 4)).snapshot_steps == (4, 8) and config(()).snapshots == {}
    assert [step for step, _ in jobs.trajectories.followed(made, DPO)] == [1, 2, 4, 8, 16, 20]


def test_training_is_told_of_snapshots_as_of_what_changes_no_result():
    with_them, without = config(), config(())
    assert jobs.training.adapter(with_them, SFT) == jobs.training.adapter(without, SFT)
    assert jobs.training.speed(with_them, SFT)["snapshots"] == [1, 2, 4, 8, 16]
    assert "snapshots" not in jobs.training.speed(without, SFT) and "snapshots" not in without.told()["training"]


def test_a_snapshot_that_a_stage_names_is_a_run():
    early = f"{SFT}.t4"
    made = config(comparisons={"pairs": [[early, "dpo"]]})
    assert made.runs[early].origin == "snapshot" and (DPO, early) in made.pairs
    benchmarks = {"easy": {"source": "generated", "count": 8}}
    made = config(evaluation={"benchmarks": benchmarks, "snapshots": [early], "controls": False})
    assert made.evaluated == ["base", SFT, DPO, early]
    late = {"comparisons": {"pairs": [[f"{SFT}.t8", "dpo"]]}}
    made = config(evaluation={"benchmarks": benchmarks, "snapshots": [early], "controls": False}, **late)
    table = jobs.evaluation.accuracy_table(made)
    assert [run["id"] for run in table["runs"]] == [SFT, DPO, early], "who answers, of all that is compared"
    assert (DPO, f"{SFT}.t8") in made.pairs and [DPO, f"{SFT}.t8"] not in table["pairs"]


def test_half_of_the_prompts_makes_a_run_that_is_told_so_and_compared_nowhere_else():
    halves = [{"init": 1, "order": 1, "half": half} for half in "AB"]
    method = {"learning_rate": 1e-3, "further_seeds": halves}
    benchmarks = {"easy": {"source": "generated", "count": 8}}
    made = config((), methods={"sft": method, "dpo": method}, evaluation={"benchmarks": benchmarks, "controls": False})
    assert list(made.runs) == [
        f"{name}.lr0.001.s1{half}" for name in ("sft", "dpo") for half in ("", "-halfA", "-halfB")
    ]
    assert made.pairs == [(SFT, DPO)] and made.evaluated == ["base", SFT, DPO]
    assert [run["id"] for run in jobs.evaluation.accuracy_table(made)["runs"]] == [SFT, DPO]
    told = {run: jobs.training.adapter(made, run) for run in made.runs}
    assert [told[run].get("half") for run in made.runs] == [None, "A", "B"] * 2
    assert {run["half"] for run in jobs.weights.sweeps(made)["runs"]} == {"", "A", "B"}


def test_checkpoints_of_a_given_run_are_its_snapshots(tmp_path):
    same = {"base_model_name_or_path": "b", "target_modules": ["q", "v"]}
    given = checkpoints(tmp_path, checkpoint_10=same, checkpoint_20=same, checkpoint_5=same)
    made = load_config({"experiment": "x", "adapters": given})
    assert made.runs["external.mine"].folder == str(tmp_path / "checkpoint-20")
    assert [(run.step, run.folder) for run in made.snapshots["external.mine"]] == [
        (step, str(tmp_path / f"checkpoint-{step}")) for step in (5, 10)
    ]
    assert jobs.trajectories.table(made)["runs"]["external.mine"][-1] == (20, "external.mine")


ONE = {"base_model_name_or_path": "b", "target_modules": ["q"]}


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        ({}, "holds 0 folders named checkpoint-N"),
        ({"checkpoint_1": ONE}, "holds 1 folders named checkpoint-N"),
        (
            {"checkpoint_1": ONE, "checkpoint_2": ONE | {"base_model_name_or_path": "c"}},
            "checkpoint-1 has the base b and checkpoint-2 has c; a path takes checkpoints of one run",
        ),
        (
            {"checkpoint_1": ONE, "checkpoint_2": ONE | {"target_modules": ["q", "v"]}},
            "checkpoint-1 has the target modules q and checkpoint-2 has q, v",
        ),
    ],
)
def test_checkpoints_of_different_runs_are_one_sentence(tmp_path, found, sentence):
    folder = tmp_path / "run"
    folder.mkdir()
    with pytest.raises(ConfigError, match=rf"^adapters\.mine: .*{sentence}") as error:
        load_config({"experiment": "x", "adapters": checkpoints(folder, **found)})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"snapshots": [4, 20]}, r"training\.snapshots: step 20 is not between the first and the last of dpo, 20"),
        ({"snapshots": [0]}, r"training\.snapshots: step 0 is not between"),
        (
            {"comparisons": {"pairs": [[f"{SFT}.t5", DPO]]}},
            rf"{SFT}\.t5 is not kept; add its step to training\.snapshots",
        ),
        ({"evaluation": {"snapshots": [SFT]}}, rf"evaluation\.snapshots: {SFT} is no snapshot"),
        (
            {"adapters": {"given": "tests"}, "edits": {"e": {"of": "external.given.t5", "scale": 2}}},
            r"edits\.e: external\.given was given and has no snapshot external\.given\.t5; name its checkpoints as adapters\.given",
        ),
        ({"audit": {"points": [f"{SFT}.t3"]}}, rf"audit\.points: {SFT}\.t3 is not kept"),
    ],
)
def test_a_snapshot_that_is_not_there_is_one_sentence(changes, sentence):
    with pytest.raises(ConfigError, match=sentence):
        config(**changes)
