"""On-policy losses equal a float64 computation by hand; dynamic sampling fills batches and stops at its cap."""

import math
from itertools import count

import numpy as np
import pytest
import torch
from training_tools import REWARDS, ByHand, build_world, disturb

from lossgeometry.errors import InputError
from lossgeometry.experiment.config import method_module
from lossgeometry.generation.templating import completion_token_ids
from lossgeometry.generation.tokenization import Tokenization
from lossgeometry.grading.grader import Grader
from lossgeometry.on_policy import train as on_policy
from lossgeometry.on_policy.groups import Group, fill_batch, overlong_penalty, spare_prompts
from lossgeometry.on_policy.samplers import Sample
from lossgeometry.training.trainer import train_resumably


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return build_world(tmp_path_factory.mktemp("on_policy"))


@pytest.fixture(scope="module")
def by_hand(world):
    return ByHand(world)


@pytest.fixture(scope="module")
def grader():
    with Grader(workers=1, deadline_seconds=5.0) as grader:
        yield grader


def noise(prompt_id, sample, length):
    """Return random numbers that belong to one completion, (length,)."""
    return torch.from_numpy(np.random.default_rng([int(prompt_id[1:]), sample]).normal(size=length))


class Recorded:
    """A sampler that returns the rollouts of the tests' world, as if another policy near this one had written them."""

    def __init__(self, world, by_hand, spread):
        self.tokens, self.rows, self.by_hand, self.spread = (
            Tokenization(world.student, ""),
            world.frame,
            by_hand,
            spread,
        )

    def sample(self, model, requests, prompts):
        samples = []
        for request, prompt in zip(requests, prompts, strict=True):
            rows = self.rows[(self.rows.prompt_id == request.problem_id) & (self.rows["sample"] == request.sample)]
            row = rows.iloc[0]
            ids = completion_token_ids(self.tokens.tokenizer, row.completion, row.finish_reason == "stop")
            log_probs = None
            if self.spread:
                shift = noise(request.problem_id, request.sample, len(ids)) * self.spread
                log_probs = (self.by_hand.of_tokens(prompt, ids).detach() + shift).tolist()
            samples.append(Sample(ids, log_probs))
        return samples


def make_trainer(world, by_hand, grader, method, options, loss, micro=16, spread=0.4, **sampling):
    checked = method_module(method).Options(**{"generations": 4, "max_new_tokens": 24} | options)
    job = world.job(micro_batch_size=micro)
    prompts = on_policy.tokenize_prompts(job, checked, world.tokenizer)
    rollouts = on_policy.Rollouts(job, checked, Recorded(world, by_hand, spread), prompts, grader, **sampling)
    return on_policy.make_on_policy_trainer(job, checked, rollouts, loss), job


def surrogates(world, by_hand, options, spread, cache, temperature=1.0):
    """Return, per completion, (clipped surrogate loss of each token, log p, reference log p, finished)."""
    low, high = options.get("epsilon_low", 0.2), options["epsilon_high"]
    completions = []
    for prompt_id, rewards in REWARDS.items():
        rows = world.frame[world.frame.prompt_id == prompt_id]
        prompt = on_policy.prompt_token_ids(world.tokenizer, by_hand.problems[prompt_id], "")
        group = []
        for row, reward in zip(rows.itertuples(), rewards, strict=True):
            finished = row.finish_reason == "stop"
            ids = completion_token_ids(world.tokenizer, row.completion, finished)
            shaped = reward + (min(0.0, max(-1.0, ((24 - cache) - len(ids)) / cache)) if cache else 0.0)
            group.append((ids, shaped, finished, noise(prompt_id, row.sample, len(ids)) * spread))
        mean = sum(reward for _, reward, *_ in group) / len(group)
        deviation = math.sqrt(sum((reward - mean) ** 2 for _, reward, *_ in group) / (len(group) - 1))
        for ids, reward, finished, shift in group:
            log_p = by_hand.of_tokens(prompt, ids)
            ratio = (log_p - (log_p.detach() + shift)).exp()
            advantage = (reward - mean) / (deviation + 1e-4)
            clipped = ratio.clamp(1 - low, 1 + high)
            surrogate = -torch.minimum(ratio * advantage, clipped * advantage)
            completions.append((surrogate, log_p, by_hand.of_tokens(prompt, ids, base=True), finished))
    return completions


def agrees(trainer, job, by_hand, loss):
    disturb(trainer.model)
    entry = train_resumably(trainer, job)[0]
    assert entry["loss"] == pytest.approx(loss.item(), abs=1e-6, rel=1e-6)
    assert entry["grad_norm"] == pytest.approx(by_hand.gradient_norm(loss), rel=2e-5)
    return entry


@pytest.mark.parametrize("micro", [16, 4])
@pytest.mark.parametrize("spread", [0.0, 0.4], ids=["ratio 1", "clipped"])
def test_online_grpo(world, by_hand, grader, spread, micro):
    """Mean over the tokens of each completion, then over completions; the penalty is the k3 estimator per token."""
    means = []
    for surrogate, log_p, reference, _ in surrogates(world, by_hand, {"epsilon_high": 0.2}, spread, cache=0):
        gap = reference - log_p
        means.append((surrogate + 0.3 * (gap.exp() - gap - 1)).mean())
    trainer, job = make_trainer(
        world, by_hand, grader, "online_grpo", {}, {"loss_type": "grpo", "beta": 0.3}, micro, spread
    )
    entry = agrees(trainer, job, by_hand, torch.stack(means).mean())
    assert entry["kl"] > 0
    assert (entry["clip_ratio/region_mean"] > 0.1) == bool(spread)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("micro", [16, 4])
def test_online_dapo(world, by_hand, grader, micro, masked):
    """Mean over all tokens; a wider upper clip; a reward that falls near the budget; truncated completions masked."""
    completions = surrogates(world, by_hand, {"epsilon_high": 0.28}, 0.4, cache=16)
    kept = [surrogate for surrogate, _, _, finished in completions if finished or not masked]
    assert len(kept) == 16 - masked
    trainer, job = make_trainer(
        world,
        by_hand,
        grader,
        "online_dapo",
        {"mask_truncated": masked},
        {"loss_type": "dapo", "beta": 0.0},
        micro,
        overlong_cache=16,
    )
    agrees(trainer, job, by_hand, torch.cat(kept).mean())


def test_clip_higher_is_wider_than_the_lower_clip():
    options = method_module("online_dapo").Options()
    assert (options.epsilon_low, options.epsilon_high) == (0.2, 0.28)


def test_overlong_penalty_is_equation_13():
    assert [overlong_penalty(length, 20, 5) for length in (3, 15, 16, 18, 20, 30)] == [0, 0, -0.2, -0.6, -1, -1]
    assert overlong_penalty(20, 20, 0) == 0


# --- dynamic sampling ---


def group(name, correct):
    return Group(name, [1], [[2]] * len(correct), list(map(bool, correct)), list(map(float, correct)))


def sampler(mixed):
    """Return a sampling function whose groups are mixed for the named prompts only, and what it was asked for."""
    asked = []

    def sample(names):
        asked.append(list(names))
        return [group(name, [1, 0] if name in mixed else [1, 1]) for name in names]

    return sample, asked


def test_uniform_groups_are_replaced_until_the_batch_is_full():
    sample, asked = sampler({"b", "e", "g"})
    batch = fill_batch(["a", "b", "c"], ["d", "e", "f", "g", "h", "i", "j"], sample, max_rounds=10)
    assert [group.prompt_id for group in batch.groups] == ["b", "e", "g"]
    assert asked == [["a", "b", "c"], ["d", "e"], ["f"], ["g"]]
    assert batch.sampled == 7 and batch.refill_rate == pytest.approx(4 / 3) and batch.sampled_mixed == 3


def test_a_full_batch_is_not_refilled():
    sample, asked = sampler({"a", "b"})
    batch = fill_batch(["a", "b"], count(), sample, max_rounds=10)
    assert asked == [["a", "b"]] and batch.refill_rate == 0


def test_refilling_stops_at_its_cap_and_keeps_the_batch_size():
    sample, asked = sampler({"b"})
    batch = fill_batch(["a", "b"], map(str, count()), sample, max_rounds=3)
    assert len(asked) == 3
    assert [group.mixed for group in batch.groups] == [True, False]


def test_without_refilling_the_batch_is_what_was_wanted():
    sample, asked = sampler(set())
    batch = fill_batch(["a", "b"], ["c"], sample, max_rounds=1)
    assert [group.prompt_id for group in batch.groups] == ["a", "b"] and len(asked) == 1


@pytest.mark.parametrize("rewards", [[1, 1], [0, 0]])
def test_no_mixed_group_at_the_cap_is_one_clear_sentence(rewards):
    with pytest.raises(InputError) as error:
        fill_batch(["a", "b"], map(str, count()), lambda names: [group(name, rewards) for name in names], max_rounds=4)
    message = str(error.value)
    assert message.startswith("none of 8 prompts had both right and wrong completions")
    assert "options.temperature" in message and "\n" not in message


def test_spare_prompts_depend_on_the_generation_only():
    names = [f"p{number}" for number in range(30)]
    first = spare_prompts(names, names[:4], seed=1, generation=5)
    assert sorted(first) == sorted(names[4:])
    assert first == spare_prompts(names[::-1], names[:4], seed=1, generation=5)
    assert first != spare_prompts(names, names[:4], seed=1, generation=6)


def test_prompts_without_room_for_a_completion_are_counted(world):
    options = method_module("online_grpo").Options(max_new_tokens=24)
    lengths = sorted(len(ids) for ids in on_policy.tokenize_prompts(world.job(), options, world.tokenizer).values())
    job = world.job(max_length=lengths[2] + 24)
    assert len(on_policy.tokenize_prompts(job, options, world.tokenizer)) == 3
    assert list(job.skipped.values()) == [1]
    with pytest.raises(InputError, match="no prompt fits"):
        on_policy.tokenize_prompts(world.job(max_length=25), options, world.tokenizer)
