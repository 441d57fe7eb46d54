"""Whole training runs: one initialisation, one order of the data, kills that leave no trace."""

import hashlib
import json
import os
import random
import signal
import time
from pathlib import Path

import pandas as pd
import pytest
import torch
from processes import ForkServer
from training_tools import METHODS, PROBLEMS, at_step_zero, build_world, on_policy_options

from lossgeometry.experiment.config import method_module
from lossgeometry.files.stopping import STOPPED_EXIT_CODE
from lossgeometry.on_policy import train as on_policy
from lossgeometry.settings.tasks import Reward, TrainedAdapter
from lossgeometry.settings.training import Training
from lossgeometry.training.order import half_of, training_order
from lossgeometry.training.run import train


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return build_world(tmp_path_factory.mktemp("runs"))


def factors(trainer, name):
    """Return the sha256 of all factors of one kind of the adapter that is trained."""
    digest = hashlib.sha256()
    for key, parameter in sorted(trainer.model.named_parameters()):
        if f".{name}.default" in key and parameter.requires_grad:
            digest.update(key.encode() + parameter.detach().numpy().tobytes())
    return digest.hexdigest()


def test_all_methods_start_from_the_same_adapter(world, monkeypatch):
    trainers = [at_step_zero(monkeypatch, world.job(), method, **on_policy_options(method)) for method in METHODS]
    assert len(trainers) >= 11
    assert len({factors(trainer, "lora_A") for trainer in trainers}) == 1
    assert len({factors(trainer, "lora_B") for trainer in trainers}) == 1
    empty = hashlib.sha256().hexdigest()
    assert factors(trainers[0], "lora_A") != empty
    for trainer in trainers:
        assert all(not parameter.any() for name, parameter in trainer.model.named_parameters() if "lora_B" in name)


def test_methods_see_the_rows_that_they_share_in_one_order(world, monkeypatch):
    job = world.job(batch_size=8, steps=6)
    sft, rft = (at_step_zero(monkeypatch, job, name).train_dataset for name in ("sft", "rft"))
    correct = {f"{row.prompt_id}/{row.sample}" for row in world.frame.itertuples() if row.reward}
    epochs = [[key for key in sft["key"][start : start + 16] if key in correct] for start in (0, 16, 32)]
    assert rft["key"] == sum(epochs, []) + rft["key"][24:]
    assert epochs[0] != epochs[1]


def test_the_order_depends_on_its_seed_alone():
    keys = [f"k{number}" for number in range(20)]
    assert training_order(keys, 50, 1) == training_order(keys, 50, 1) != training_order(keys, 50, 2)
    by_key = [keys[place] for place in training_order(keys, 20, 1)]
    reverse = [keys[::-1][place] for place in training_order(keys[::-1], 20, 1)]
    assert by_key == reverse


# --- kills ---

STEPS = 30
SNAPSHOTS = [1, 7, 16]
KILLED = {
    "rift": {},
    "dpo": {"pairs": "all_cross"},
    "online_dapo": {"generations": 4, "max_new_tokens": 12, "updates_per_generation": 2, "overlong_cache": 4},
}


def settings(method, steps):
    return TrainedAdapter(
        run=method,
        method=method,
        learning_rate=1e-2,
        init_seed=3,
        order_seed=3,
        options=KILLED[method],
        training=Training(steps=steps, batch_size=8, micro_batch_size=4, checkpoint_every=5).model_dump(),
        prompt_suffix="",
        reward=Reward(deadline_seconds=5.0),
    )


def luck(answers, workers=None):
    """Judge answers by their length, since a random model answers nothing: groups are mixed, without chance."""
    for answer in answers:
        yield Lucky(len(answer.completion) % 2 == 0)


class Lucky:
    """A verdict."""

    def __init__(self, correct):
        self.correct = correct


class LuckyGrader:
    """Stands in for the grader of answers."""

    def __init__(self, **_):
        self.grade = luck

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def run_in_child(world, method, results):
    """Train one run; what `train_adapter` does, without Snakemake."""
    torch.set_num_threads(1)
    on_policy.Grader = LuckyGrader
    rollouts = world.rollouts if method_module(method).OFFLINE else None
    train(
        settings(method, STEPS),
        {"snapshots": SNAPSHOTS},
        {"code": "1"},
        world.student,
        world.initialisation,
        world.prompts,
        rollouts,
        results / "adapters" / method,
        results,
    )


CHILDREN = ForkServer("test_training_runs")


def start(world, method, results):
    (results / "adapters" / method).mkdir(parents=True, exist_ok=True)
    return CHILDREN.start(run_in_child, world, method, results)


def wait_for_checkpoint(results, method, above, child):
    """Return the step of the first checkpoint beyond a step, once it is there."""
    while child.is_alive():
        steps = [int(path.name[5:]) for path in (results / ".checkpoints/train" / method).glob("*/step-*")]
        if steps and max(steps) > above:
            return max(steps)
        time.sleep(0.002)
    raise AssertionError(f"the run ended, with {child.exitcode}, before it was killed")


def final_files(results, method):
    return {path.name: path.read_bytes() for path in sorted((results / "adapters" / method).iterdir())}


def snapshots(results, method):
    return {path.parent.name: path.read_bytes() for path in sorted((results / "adapters").glob("*.t*/*.safetensors"))}


@pytest.mark.slow
@pytest.mark.parametrize("method", KILLED)
def test_a_killed_run_ends_in_the_bytes_of_an_undisturbed_one(world, tmp_path, method):
    chance = random.Random(method)
    undisturbed = start(world, method, tmp_path / "undisturbed")
    killed, reached = tmp_path / "killed", 0
    for number in (signal.SIGKILL, signal.SIGTERM):
        child = start(world, method, killed)
        reached = wait_for_checkpoint(killed, method, reached, child)
        time.sleep(chance.uniform(0, 0.05))
        os.kill(child.pid, number)
        child.join()
        assert child.exitcode == (-signal.SIGKILL if number == signal.SIGKILL else STOPPED_EXIT_CODE)
        assert not (killed / "adapters" / method / "adapter_model.safetensors").exists()
        assert not snapshots(killed, method)
    last = start(world, method, killed)
    last.join()
    undisturbed.join()
    assert (undisturbed.exitcode, last.exitcode) == (0, 0)
    files = final_files(killed, method)
    assert files == final_files(tmp_path / "undisturbed", method)
    assert sorted(files) == ["adapter_config.json", "adapter_model.safetensors", "run.json", "training.csv"]
    kept = snapshots(killed, method)
    assert kept == snapshots(tmp_path / "undisturbed", method) and list(kept) == [
        f"{method}.t{step}" for step in (1, 16, 7)
    ]
    assert len({*kept.values(), files["adapter_model.safetensors"]}) == 4
    assert not list((killed / ".checkpoints").rglob("t[0-9]*"))
    assert not list((killed / ".checkpoints").rglob("step-*"))
    curve = pd.read_csv(killed / "adapters" / method / "training.csv")
    assert curve.step.tolist() == list(range(1, STEPS + 1))
    assert curve.tokens.is_monotonic_increasing and curve.loss.notna().all()


def test_a_snapshot_is_the_adapter_of_a_run_that_stopped_there(world, tmp_path):
    """Under a schedule of the same length; and the run that keeps snapshots is no other run."""
    files = {}
    for steps, kept in ((2, []), (4, [2]), (4, [])):
        training = Training(steps=steps, schedule_steps=4, batch_size=8, micro_batch_size=8).model_dump()
        task = settings("rift", 1).model_copy(update={"training": training})
        results = tmp_path / f"{steps}{kept}"
        inputs = (world.student, world.initialisation, world.prompts, world.rollouts)
        train(task, {"snapshots": kept}, {}, *inputs, results / "adapters/run", results)
        files[steps, bool(kept)] = final_files(results, "run")
    snapshot = (tmp_path / "4[2]/adapters/run.t2/adapter_model.safetensors").read_bytes()
    assert snapshot == files[2, False]["adapter_model.safetensors"]
    assert files[4, True] == files[4, False]


def test_run_json_has_no_clock_and_lists_what_was_left_out(world, tmp_path):
    training = Training(steps=1, batch_size=8, micro_batch_size=8, max_length=30)
    task = settings("rift", 1).model_copy(update={"training": training.model_dump()})
    train(task, {}, {}, world.student, world.initialisation, world.prompts, world.rollouts, tmp_path / "a", tmp_path)
    record = json.loads((tmp_path / "a/run.json").read_text())
    assert record["skipped"] == {"longer than max_length 30": 16 - record["counted"]["rows"]}
    assert 0 < record["counted"]["rows"] < 16
    assert str(tmp_path) not in json.dumps(record)


def test_halves_of_the_prompts_have_none_in_common_and_stay_what_they_are():
    names = [f"p{number}" for number in range(400)]
    halves = [half_of(name) for name in names]
    assert set(halves) == {"A", "B"} and 150 < halves.count("A") < 250
    assert [half_of(name) for name in names[::-1]] == halves[::-1]


@pytest.mark.parametrize("half", ["A", "B"])
def test_a_run_on_half_of_the_prompts_sees_no_other(world, tmp_path, half):
    training = Training(steps=1, batch_size=4, micro_batch_size=4)
    task = settings("rift", 1).model_copy(update={"training": training.model_dump(), "half": half})
    train(task, {}, {}, world.student, world.initialisation, world.prompts, world.rollouts, tmp_path / "a", tmp_path)
    record = json.loads((tmp_path / "a/run.json").read_text())
    own = [row["id"] for row in PROBLEMS if half_of(row["id"]) == half]
    assert record["counted"]["rows"] == 4 * len(own) > 0
    assert record["skipped"] == {"in the other half of the prompts": 16 - 4 * len(own)}


def test_methods_are_files_of_their_own():
    """No method imports another: a change of one must re-run its own runs only."""
    for method in METHODS:
        source = Path(method_module(method).__file__).read_text()
        assert "lossgeometry.methods" not in source
