"""Rows that a method cannot use are left out and counted, and data without any that it can is one sentence."""

import pandas as pd
import pytest
from training_tools import METHODS, PROBLEMS, REWARDS, at_step_zero, build_world

from lossgeometry.errors import InputError
from lossgeometry.experiment.config import method_module
from lossgeometry.training.examples import read_rollouts


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return build_world(tmp_path_factory.mktemp("unusable"))


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
