"""Whole training runs: one initialisation, one order of the data, kills that leave no trace, rows that are left out."""

import hashlib
import json
import multiprocessing
import os
import random
import signal
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import torch
from training_tools import METHODS, PROBLEMS, REWARDS, build_world

from lossgeometry.errors import InputError
from lossgeometry.experiment.config import method_module
from lossgeometry.files.stopping import STOPPED_EXIT_CODE
from lossgeometry.on_policy import train as on_policy
from lossgeometry.settings.tasks import Reward, TrainedAdapter
from lossgeometry.settings.training import Training
from lossgeometry.training import preference, token_loss, unpaired
from lossgeometry.training.examples import read_rollouts
from lossgeometry.training.order import half_of, training_order
from lossgeometry.training.run import train


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return build_world(tmp_path_factory.mktemp("runs"))


class Captured(Exception):
    """Carries a trainer out of a run at step 0."""


def at_step_zero(monkeypatch, job, method, **options):
    """Return the trainer that a method would train with, before its first step."""

    def capture(trainer, job):
        raise Captured(trainer)

    for module in (token_loss, preference, unpaired, on_policy):
        monkeypatch.setattr(module, "train_resumably", capture)
    with pytest.raises(Captured) as captured:
        method_module(method).train(job, method_module(method).Options(**options))
    return captured.value.args[0]


def factors(trainer, name):
    """Return the sha256 of all factors of one kind of the adapter that is trained."""
    digest = hashlib.sha256()
    for key, parameter in sorted(trainer.model.named_parameters()):
        if f".{name}.default" in key and parameter.requires_grad:
            digest.update(key.encode() + parameter.detach().numpy().tobytes())
    return digest.hexdigest()


def on_policy_options(method):
    return {} if method_module(method).OFFLINE else {"generations": 4, "max_new_tokens": 16}


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


@pytest.fixture(scope="module")
def children():
    """A context whose processes have everything imported already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["test_training_runs"])
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    return context


def start(children, world, method, results):
    (results / "adapters" / method).mkdir(parents=True, exist_ok=True)
    child = children.Process(target=run_in_child, args=(world, method, results))
    child.start()
    return child


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
def test_a_killed_run_ends_in_the_bytes_of_an_undisturbed_one(world, children, tmp_path, method):
    chance = random.Random(method)
    undisturbed = start(children, world, method, tmp_path / "undisturbed")
    killed, reached = tmp_path / "killed", 0
    for number in (signal.SIGKILL, signal.SIGTERM):
        child = start(children, world, method, killed)
        reached = wait_for_checkpoint(killed, method, reached, child)
        time.sleep(chance.uniform(0, 0.05))
        os.kill(child.pid, number)
        child.join()
        assert child.exitcode == (-signal.SIGKILL if number == signal.SIGKILL else STOPPED_EXIT_CODE)
        assert not (killed / "adapters" / method / "adapter_model.safetensors").exists()
        assert not snapshots(killed, method)
    last = start(children, world, method, killed)
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


# --- rows that cannot be used ---


def rollouts(world, rewards):
    """Return the world's rollouts with other rewards, a list per prompt."""
    flat = [float(reward) for problem in PROBLEMS for reward in rewards[problem["id"]]]
    return world.frame.assign(reward=flat)


def same(reward):
    return {name: [reward] * 4 for name in REWARDS}


def test_groups_of_one_are_left_out_of_offline_grpo(world, monkeypatch):
    frame = world.frame[(world.frame.prompt_id != "p0") | (world.frame["sample"] == 0)]
    job = world.with_rollouts(frame, "one")
    trainer = at_step_zero(monkeypatch, job, "offline_grpo")
    assert job.skipped == {"alone in their group, so without an advantage": 1}
    assert not any(key.startswith("p0/") for key in trainer.train_dataset["key"])


@pytest.mark.parametrize(
    ("method", "options", "reward", "words"),
    [
        ("dpo", {}, 1, "no prompt has both a correct and a wrong rollout"),
        ("dpo", {}, 0, "no prompt has both a correct and a wrong rollout"),
        ("ipo", {}, 1, "no prompt has both a correct and a wrong rollout"),
        ("simpo", {}, 0, "no prompt has both a correct and a wrong rollout"),
        ("rft", {}, 0, "no rollout is correct"),
        ("offline_grpo", {"bias": 0.0}, 1, "every advantage is zero"),
        ("offline_grpo", {"bias_on": "all_positive"}, 0, "every advantage is zero"),
    ],
)
def test_one_sided_data_is_one_sentence(world, method, options, reward, words):
    job = world.with_rollouts(rollouts(world, same(reward)), f"{method}{reward}")
    with pytest.raises(InputError) as error:
        method_module(method).train(job, method_module(method).Options(**options))
    message = str(error.value)
    assert words in message and message.startswith(job.run) and "\n" not in message and ". " not in message


@pytest.mark.parametrize("method", ["sft", "dft", "rift", "kto", "offline_grpo"])
@pytest.mark.parametrize("reward", [0, 1])
def test_other_methods_train_on_one_sided_data(world, monkeypatch, method, reward):
    job = world.with_rollouts(rollouts(world, same(reward)), f"{method}{reward}")
    assert len(at_step_zero(monkeypatch, job, method).train_dataset) == 16


def test_a_control_keeps_every_group_and_forgets_which_rollout_is_right(world):
    job = world.job(verdicts="shuffled", order_seed=3)
    shuffled = read_rollouts(job)
    pd.testing.assert_frame_equal(shuffled.drop(columns="reward"), world.frame.drop(columns="reward"))
    by_prompt = [frame.groupby("prompt_id").reward.sum().to_dict() for frame in (shuffled, world.frame)]
    assert by_prompt[0] == by_prompt[1]
    changed = int((shuffled.reward != world.frame.reward).sum())
    assert job.counted == {"rows whose verdict was shuffled to another": changed}
    again = [read_rollouts(world.job(verdicts="shuffled", order_seed=seed)).reward.tolist() for seed in range(8)]
    assert len({tuple(rewards) for rewards in again}) > 3, "the seed of the order decides"
    assert again[3] == shuffled.reward.tolist()


def test_empty_rollouts_are_one_sentence(world):
    job = world.with_rollouts(world.frame[:0], "empty")
    with pytest.raises(InputError, match="the rollouts are empty"):
        method_module("sft").train(job, method_module("sft").Options())


@pytest.mark.parametrize("method", [name for name in METHODS if method_module(name).OFFLINE])
def test_every_method_leaves_empty_completions_out_and_counts_them(world, monkeypatch, method):
    blank = (world.frame.prompt_id == "p0") & (world.frame["sample"] < 2)  # the first right and the first wrong one
    holed = world.frame.assign(completion=world.frame.completion.where(~blank, ["", " \n"] * (len(blank) // 2)))
    job = world.with_rollouts(holed, f"holed-{method}")
    found = at_step_zero(monkeypatch, job, method).train_dataset[:]
    assert job.skipped["empty completions"] == 2
    without = world.with_rollouts(world.frame[~blank].reset_index(drop=True), f"without-{method}")
    assert found == at_step_zero(monkeypatch, without, method).train_dataset[:]


def test_completions_that_are_all_empty_are_one_sentence(world):
    job = world.with_rollouts(world.frame.assign(completion=" "), "blank")
    with pytest.raises(InputError, match="every completion is empty; check what the teacher answers"):
        method_module("sft").train(job, method_module("sft").Options())


def test_rft_on_distinct_solutions_takes_the_first_of_each_prompt(world):
    rft = method_module("rft")
    same = world.frame.assign(completion=[f"x{' ' * (1 + number % 3)}y" for number in range(len(world.frame))])
    job = world.job()
    kept = rft.select(same, rft.Options(distinct=True), job)
    right = same[same.reward > 0]
    assert list(kept.index) == list(right.groupby("prompt_id", sort=False).head(1).index)
    assert job.skipped == {"repeats of a correct completion of their prompt": len(right) - len(kept)}
    assert len(rft.select(same, rft.Options(), world.job())) == len(right)


def test_cut_rows_end_without_an_end_token_and_long_rows_are_left_out(world, monkeypatch):
    job = world.job(max_length=30)
    trainer = at_step_zero(monkeypatch, job, "sft")
    end = world.tokenizer.eos_token_id
    cut = {row["key"] for row in trainer.train_dataset if row["input_ids"][-1] != end}
    assert cut == {"p2/1"} and max(map(len, trainer.train_dataset["input_ids"])) <= 30
    assert job.counted["rows cut by the token budget, which end without an end token"] == 1
    assert job.skipped == {"longer than max_length 30": 16 - job.counted["rows"]} and job.counted["rows"] < 16


def test_rows_that_are_all_too_long_are_one_sentence(world):
    for method in ("sft", "dpo", "kto"):
        with pytest.raises(InputError, match="longer than training.max_length 8; raise it"):
            method_module(method).train(world.job(max_length=8), method_module(method).Options())


def test_pairs_that_are_too_long_are_counted(world, monkeypatch):
    job = world.job(max_length=32)
    at_step_zero(monkeypatch, job, "dpo", pairs="all_cross")
    assert job.skipped["pairs longer than max_length 32"] == 6 - job.counted["pairs"] > 0
    assert job.skipped["prompts without a pair"] == 2


def test_methods_are_files_of_their_own():
    """No method imports another: a change of one must re-run its own runs only."""
    for method in METHODS:
        source = Path(method_module(method).__file__).read_text()
        assert "lossgeometry.methods" not in source
