"""On-policy losses equal a float64 computation by hand; a run stops between two rounds, and leaves no trace."""

import math
import os
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from training_tools import REWARDS, ByHand, build_world, disturb

from lossgeometry.errors import InputError
from lossgeometry.experiment.config import method_module
from lossgeometry.files.stopping import Stopped
from lossgeometry.generation.templating import completion_token_ids
from lossgeometry.generation.tokenization import Tokenization
from lossgeometry.grading.grader import Grader
from lossgeometry.on_policy import train as on_policy
from lossgeometry.on_policy.dapo import Dapo, overlong_penalty
from lossgeometry.on_policy.groups import Group
from lossgeometry.on_policy.mismatch import corrected, log_ratio
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


def make_trainer(world, by_hand, grader, method, options, loss, micro=16, spread=0.4, dapo=None, **settings):
    checked = method_module(method).Options(**{"generations": 4, "max_new_tokens": 24} | options)
    job = world.job(micro_batch_size=micro, **settings)
    prompts = on_policy.tokenize_prompts(job, checked, world.tokenizer)
    rollouts = on_policy.Rollouts(job, checked, Recorded(world, by_hand, spread), prompts, grader, dapo)
    return on_policy.make_on_policy_trainer(job, checked, rollouts, loss), job


def surrogates(world, by_hand, options, spread, cache=0, dapo=False):
    """Return, per completion, (clipped surrogate loss of each token, log p, reference log p, finished).

    `options` are those of the ratio: its clip, and what is done about the sampler (spread: how far it is from the trainer).
    """
    low, high = options.get("epsilon_low", 0.2), options["epsilon_high"]
    kind, limit = options.get("mismatch", "ppo"), math.log(options.get("mismatch_bound", 2.0))
    completions = []
    for prompt_id, rewards in REWARDS.items():
        rows = world.frame[world.frame.prompt_id == prompt_id]
        prompt = on_policy.prompt_token_ids(world.tokenizer, by_hand.problems[prompt_id], "")
        group = []
        for row, reward in zip(rows.itertuples(), rewards, strict=True):
            finished = row.finish_reason == "stop"
            ids = completion_token_ids(world.tokenizer, row.completion, finished)
            shaped = reward
            if dapo:
                shaped = (1 if reward else -1) + min(0.0, max(-1.0, ((24 - cache) - len(ids)) / cache))
            group.append((ids, shaped, finished, noise(prompt_id, row.sample, len(ids)) * spread))
        mean = sum(reward for _, reward, *_ in group) / len(group)
        deviation = math.sqrt(sum((reward - mean) ** 2 for _, reward, *_ in group) / (len(group) - 1))
        for ids, reward, finished, shift in group:
            log_p = by_hand.of_tokens(prompt, ids)
            apart = (-shift).clamp(-limit, limit)  # log of trainer over sampler, bounded
            ratio = (log_p - log_p.detach() + (apart if kind == "ppo" else 0)).exp()
            advantage = (reward - mean) / (deviation + 1e-4) if len(set(rewards)) == 2 else 0.0
            advantage = advantage * (apart.exp() if kind == "truncated" else 1)
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
    for surrogate, log_p, reference, _ in surrogates(world, by_hand, {"epsilon_high": 0.2}, spread):
        gap = reference - log_p
        means.append((surrogate + 0.3 * (gap.exp() - gap - 1)).mean())
    trainer, job = make_trainer(
        world, by_hand, grader, "online_grpo", {}, {"loss_type": "grpo", "beta": 0.3}, micro, spread
    )
    entry = agrees(trainer, job, by_hand, torch.stack(means).mean())
    assert entry["kl"] > 0
    assert (entry["clip_ratio/region_mean"] > 0.1) == bool(spread)


def test_the_last_step_tells_how_far_the_policy_is_from_the_base(world, by_hand, grader):
    loss = {"loss_type": "grpo", "beta": 0.0}
    trainer, job = make_trainer(world, by_hand, grader, "online_grpo", {}, loss, micro=4, learning_rate=0.0)
    disturb(trainer.model)
    (entry,) = train_resumably(trainer, job)
    rows = world.frame.itertuples()
    by_token = [by_hand.divergences(row.prompt_id, row.completion, row.finish_reason == "stop") for row in rows]
    assert entry["kl_to_base"] == pytest.approx(torch.cat(by_token).mean().item(), rel=1e-4)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("micro", [16, 4])
def test_online_dapo(world, by_hand, grader, micro, masked):
    """Mean over all tokens; a wider upper clip; 1 or -1 and a length term; no advantage in groups of one kind."""
    completions = surrogates(world, by_hand, {"epsilon_high": 0.28}, 0.4, cache=16, dapo=True)
    kept = [surrogate for surrogate, _, _, finished in completions if finished or not masked]
    assert len(kept) == 16 - masked
    options = {"mask_truncated": masked, "updates_per_generation": 1}
    loss = {"loss_type": "dapo", "beta": 0.0}
    dapo = Dapo(overlong_cache=16, oversampling=1.0, max_rounds=1, max_empty_batches=1)
    trainer, job = make_trainer(world, by_hand, grader, "online_dapo", options, loss, micro, dapo=dapo)
    agrees(trainer, job, by_hand, torch.cat(kept).mean())


@pytest.mark.parametrize("mismatch", ["ppo", "truncated", "none"])
def test_what_is_done_about_a_sampler_far_from_the_trainer(world, by_hand, grader, mismatch):
    """Tokens e^2 apart and more count with the bound; statistics are of what was found, not of what is left of it."""
    options = {"epsilon_high": 0.2, "mismatch": mismatch, "mismatch_bound": 1.5}
    completions = surrogates(world, by_hand, options, 2.0)
    trainer, job = make_trainer(
        world, by_hand, grader, "online_grpo", options, {"loss_type": "grpo", "beta": 0.0}, spread=2.0
    )
    loss = torch.stack([surrogate.mean() for surrogate, *_ in completions]).mean()
    entry = agrees(trainer, job, by_hand, loss)
    apart = -2.0 * torch.cat([noise(name, sample, len(values)) for name, sample, values in named(completions)])
    weights = apart.exp()
    assert entry["mismatch_mean"] == pytest.approx(apart.abs().mean().item(), rel=1e-5)
    assert entry["mismatch_max"] == pytest.approx(apart.abs().max().item(), rel=1e-5)
    assert entry["mismatch_k3"] == pytest.approx((weights - 1 - apart).mean().item(), rel=1e-4)
    assert entry["mismatch_ess"] == pytest.approx(
        (weights.sum() ** 2 / (weights**2).sum() / len(apart)).item(), rel=1e-4
    )
    assert entry["mismatch_bounded"] == pytest.approx((apart.abs() > math.log(1.5)).double().mean().item())


def named(completions):
    """Yield (prompt, sample, log p of its tokens) of the completions of `surrogates`."""
    names = [(prompt_id, sample) for prompt_id, rewards in REWARDS.items() for sample in range(len(rewards))]
    for (prompt_id, sample), (surrogate, *_) in zip(names, completions, strict=True):
        yield prompt_id, sample, surrogate


@pytest.mark.parametrize("mismatch", ["ppo", "truncated"])
@pytest.mark.parametrize("far", [6.0, -6.0, math.nan, math.inf])
def test_one_token_that_the_sampler_sees_otherwise_leaves_the_direction(mismatch, far):
    """The gradient of the surrogate with respect to log p, with one token 6 nats off, keeps its direction."""
    generator = torch.Generator().manual_seed(3)
    own = -torch.rand((8, 40), generator=generator)
    advantages = torch.randn(8, generator=generator)
    clean, disturbed = (own.clone(), own.clone())
    disturbed[2, 5] -= far
    gradients = []
    for sampled in (clean, disturbed):
        log_p = own.clone().requires_grad_()
        old, weighted = corrected(own, advantages, log_ratio(own, sampled), mismatch, 2.0)
        weighted = weighted if weighted.dim() == 2 else weighted[:, None]
        ratio = (log_p - old).exp()
        (-torch.minimum(ratio * weighted, ratio.clamp(0.8, 1.28) * weighted)).sum().backward()
        gradients.append(log_p.grad.flatten().double())
    assert torch.isfinite(gradients[1]).all()
    assert torch.cosine_similarity(*gradients, dim=0) > 0.97


def test_clip_higher_is_wider_than_the_lower_clip():
    options = method_module("online_dapo").Options()
    assert (options.epsilon_low, options.epsilon_high) == (0.2, 0.28)
    assert options.updates_per_generation > 1, "at one update per generation no clip can act"


def test_overlong_penalty_is_equation_13():
    assert [overlong_penalty(length, 20, 5) for length in (3, 15, 16, 18, 20, 30)] == [0, 0, -0.2, -0.6, -1, -1]
    assert overlong_penalty(20, 20, 0) == 0


def test_a_batch_without_a_mixed_group_is_a_step_without_a_gradient(world, by_hand, grader, monkeypatch):
    trainer, job = make_trainer(
        world,
        by_hand,
        grader,
        "online_dapo",
        {},
        {"loss_type": "dapo", "beta": 0.0},
        dapo=Dapo(overlong_cache=16, oversampling=3.0, max_rounds=2, max_empty_batches=2),
    )
    monkeypatch.setattr(Group, "mixed", False)
    disturb(trainer.model)
    (entry,) = train_resumably(trainer, job)
    assert (entry["loss"], entry["grad_norm"], entry["groups_uniform"]) == (0, 0, 1)


def test_a_signal_between_two_rounds_is_obeyed_and_leaves_no_trace(world, by_hand, grader, monkeypatch):
    settings = {"steps": 4, "checkpoint_every": 4, "batch_size": 8}
    dapo = Dapo(overlong_cache=16, oversampling=1.0, max_rounds=3, max_empty_batches=9)
    loss = {"loss_type": "dapo", "beta": 0.0}

    def run(digest, stop_in_call=None):
        """Return the trained factors and, for every call of the engine, the steps that were taken before it."""
        options = {"updates_per_generation": 1}
        trainer, job = make_trainer(world, by_hand, grader, "online_dapo", options, loss, 8, 0.0, dapo=dapo, **settings)
        sample, calls = trainer.rollout_func.sample_groups, []

        def sample_groups(*arguments):
            if len(calls) == stop_in_call:
                os.kill(os.getpid(), signal.SIGTERM)
            calls.append(trainer.state.global_step)
            return sample(*arguments)

        monkeypatch.setattr(trainer.rollout_func, "sample_groups", sample_groups)
        train_resumably(trainer, replace(job, digest=digest))
        factors = {name: values.tolist() for name, values in trainer.model.named_parameters() if "lora_" in name}
        return factors, calls

    undisturbed, calls = run("undisturbed")
    first_of_several = next(place for place, step in enumerate(calls) if step and calls.count(step) > 1)
    with pytest.raises(Stopped):
        run("stopped", first_of_several)
    resumed, later = run("stopped")
    assert resumed == undisturbed and later[0] == calls[first_of_several]


def test_the_tokens_of_a_generated_batch_are_those_of_all_its_steps():
    """The log tells them once; a step that reuses the batch is taken on its own part of it, not on nothing."""
    log = [{"num_tokens": 101.0}, {}, {"num_tokens": 251.0}]
    steps = on_policy.sequences_seen(log, size=2, updates=2)
    assert [len(step) for step in steps] == [2, 2, 2]
    assert sum(steps[0] + steps[1]) == 101 and sum(steps[2]) == 74
    assert on_policy.sequences_seen(log[::2], size=2, updates=1) == [[50, 51], [75, 75]]


def test_prompts_without_room_for_a_completion_are_counted(world):
    options = method_module("online_grpo").Options(max_new_tokens=24)
    lengths = sorted(len(ids) for ids in on_policy.tokenize_prompts(world.job(), options, world.tokenizer).values())
    job = world.job(max_length=lengths[2] + 24)
    assert len(on_policy.tokenize_prompts(job, options, world.tokenizer)) == 3
    assert list(job.skipped.values()) == [1]
    with pytest.raises(InputError, match="no prompt fits"):
        on_policy.tokenize_prompts(world.job(max_length=25), options, world.tokenizer)
