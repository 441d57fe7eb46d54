"""Every offline loss, through its real trainer, equals a float64 computation by hand; so does its gradient's norm."""

import pytest
import torch
from torch.nn.functional import logsigmoid
from training_tools import ByHand, build_world, disturb
from trl import SFTConfig, SFTTrainer

from lossgeometry.experiment.config import method_module
from lossgeometry.generation.templating import completion_token_ids, prompt_token_ids
from lossgeometry.training import preference, reference_free, token_loss, unpaired
from lossgeometry.training.divergence import is_due
from lossgeometry.training.examples import in_training_order, labelled_rows, read_rollouts
from lossgeometry.training.setup import common_arguments, load_trainable_model
from lossgeometry.training.trainer import train_resumably

TOLERANCE = 1e-6
SUMMED = 5e-6
"""For losses of summed log-probabilities: float32 sums of about 50 nats, whose rounding differs between processors."""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return build_world(tmp_path_factory.mktemp("losses"))


@pytest.fixture(scope="module")
def by_hand(world):
    return ByHand(world)


def first_step(trainer, job):
    """Return loss and gradient norm of the first optimiser step from a disturbed adapter."""
    disturb(trainer.model)
    entry = train_resumably(trainer, job)[0]
    return entry["loss"], entry["grad_norm"]


def agrees(trainer, job, by_hand, loss, tolerance=TOLERANCE):
    measured, gradient = first_step(trainer, job)
    assert measured == pytest.approx(loss.item(), rel=tolerance, abs=tolerance)
    assert gradient == pytest.approx(by_hand.gradient_norm(loss), rel=2e-5)


# --- losses per token: (method, options, rows that it trains on, loss of one row given log p, reward, group mean) ---


def _rift_surrogate(log_p, reward, mean, options):
    return -log_p if reward else 0.2 * log_p.exp()


def _rift_geometric(log_p, reward, mean, options):
    return -log_p if reward else 0.2 * log_p.mean().exp() * torch.ones_like(log_p)


def _advantage(reward, mean, options):
    biased = options.get("bias_on", "all") == "all" or mean == 1
    return reward - mean + options.get("bias", 0.1) * biased


TOKEN_LOSSES = [
    ("sft", {}, lambda log_p, reward, mean, options: -log_p),
    ("rft", {}, lambda log_p, reward, mean, options: -log_p),
    ("dft", {}, lambda log_p, reward, mean, options: -log_p.detach().exp() * log_p),
    ("rift", {}, _rift_surrogate),
    ("rift", {"reward_negative": -0.5, "reward_positive": 2.0},
     lambda log_p, reward, mean, options: -2 * log_p if reward else 0.5 * log_p.exp()),
    ("rift", {"probability": "geometric_mean"}, _rift_geometric),
    ("rift", {"variant": "linear_weight"}, lambda log_p, reward, mean, options: -(1 + reward) * log_p),
    ("rift", {"variant": "linear_weight", "reward_weight": 0.3},
     lambda log_p, reward, mean, options: -(1 - 0.3 * reward) * log_p),
    ("offline_grpo", {}, lambda log_p, reward, mean, options: -_advantage(reward, mean, options) * log_p),
    ("offline_grpo", {"bias_on": "all_positive", "bias": 0.3},
     lambda log_p, reward, mean, options: -_advantage(reward, mean, options) * log_p),
    ("offline_grpo", {"surrogate": "prob"},
     lambda log_p, reward, mean, options: -_advantage(reward, mean, options) * log_p.exp()),
    ("offline_grpo", {"surrogate": "prob", "bias_on": "all_positive"},
     lambda log_p, reward, mean, options: -_advantage(reward, mean, options) * log_p.exp()),
]  # fmt: skip


def token_trainer(world, name, options, splits=1, needs_reference=False, **settings):
    method = method_module(name)
    checked = method.Options(**options)
    size = len(method.select(world.frame, checked, world.job()))
    job = world.job(batch_size=size, micro_batch_size=size // splits, **settings)
    rows = labelled_rows(method.select(read_rollouts(job), checked, job), job)
    ordered = in_training_order(rows, job)
    return token_loss.make_trainer(job, checked, ordered, world.tokenizer, method.token_loss, needs_reference), job


def token_loss_by_hand(world, by_hand, name, options, row_loss):
    """Return the mean over all tokens of the rows that the method selects."""
    means = world.frame.groupby("prompt_id").reward.mean()
    losses = []
    for row in world.frame.itertuples():
        if name == "rft" and not row.reward:
            continue
        if name == "offline_grpo" and _advantage(row.reward, means[row.prompt_id], options) == 0:
            continue
        log_p = by_hand.log_probs(row.prompt_id, row.completion, row.finish_reason == "stop")
        losses.append(row_loss(log_p, row.reward, means[row.prompt_id], options))
    return torch.cat(losses).mean()


TOKEN_LOSS_NAMES = [f"{name}-{options}" for name, options, _ in TOKEN_LOSSES]


@pytest.mark.parametrize(("name", "options", "row_loss"), TOKEN_LOSSES, ids=TOKEN_LOSS_NAMES)
def test_token_losses_accumulated_over_micro_batches(world, by_hand, name, options, row_loss):
    trainer, job = token_trainer(world, name, options, splits=4)
    agrees(trainer, job, by_hand, token_loss_by_hand(world, by_hand, name, options, row_loss))


def test_token_losses_of_a_batch_in_one_piece(world, by_hand):
    name, options, row_loss = TOKEN_LOSSES[-4]
    trainer, job = token_trainer(world, name, options)
    agrees(trainer, job, by_hand, token_loss_by_hand(world, by_hand, name, options, row_loss))


@pytest.mark.parametrize("splits", [1, 4])
def test_a_mean_over_rows_is_a_mean_of_means(world, by_hand, splits):
    trainer, job = token_trainer(world, "sft", {}, splits, mean_over="rows")
    means = [
        -by_hand.log_probs(row.prompt_id, row.completion, row.finish_reason == "stop").mean()
        for row in world.frame.itertuples()
    ]
    agrees(trainer, job, by_hand, torch.stack(means).mean())


def test_a_step_is_logged_with_its_tokens_their_entropy_and_the_norm_of_the_update(world, by_hand):
    trainer, job = token_trainer(world, "sft", {}, splits=4, learning_rate=0.0)
    disturb(trainer.model)
    (entry,) = train_resumably(trainer, job)
    entropies = []
    for row in world.frame.itertuples():
        prompt = prompt_token_ids(world.tokenizer, by_hand.problems[row.prompt_id], "")
        ids = completion_token_ids(world.tokenizer, row.completion, row.finish_reason == "stop")
        log_p = by_hand.model(torch.tensor([prompt + ids])).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
        entropies.append(-(log_p.exp() * log_p).sum(-1).detach())
    assert entry["completion_tokens"] == len(torch.cat(entropies))
    assert entry["entropy"] == pytest.approx(torch.cat(entropies).mean().item(), rel=1e-5)
    squares = 0.0
    for name, b in trainer.model.named_parameters():
        if ".lora_B.default" in name:
            a = dict(trainer.model.named_parameters())[name.replace("lora_B", "lora_A")]
            squares += ((8 / 4) * b.detach().double() @ a.detach().double()).square().sum().item()
    assert entry["update_norm"] == pytest.approx(squares**0.5, rel=1e-6)


@pytest.mark.parametrize("name", ["sft", "dpo", "kto"])
def test_the_last_step_tells_how_far_the_policy_is_from_the_base(world, by_hand, name):
    job, kept = world.job(learning_rate=0.0, micro_batch_size=4), world.frame
    rows = labelled_rows(read_rollouts(job).assign(weight=1.0), job)
    if name == "sft":
        trainer, job = token_trainer(world, "sft", {}, splits=4, learning_rate=0.0)
    elif name == "kto":
        ordered, options = in_training_order(rows, job), method_module("kto").Options()
        trainer = unpaired.make_unpaired_trainer(job, options, unpaired.unpaired_rows(ordered, 16), world.tokenizer)
    else:
        job = world.job(learning_rate=0.0, batch_size=2, micro_batch_size=1)
        pairs = preference.training_pairs(job, "one_per_prompt")
        trainer = preference.make_preference_trainer(job, pairs, world.tokenizer, {"loss_type": "sigmoid"})
        kept = kept[kept.prompt_id.isin(["p0", "p3"]) & (kept["sample"] < 2)]  # the two mixed groups
    disturb(trainer.model)
    (entry,) = train_resumably(trainer, job)
    by_token = [
        by_hand.divergences(row.prompt_id, row.completion, row.finish_reason == "stop") for row in kept.itertuples()
    ]
    assert entry["kl_to_base"] == pytest.approx(torch.cat(by_token).mean().item(), rel=1e-4)


def test_the_distance_from_the_base_is_measured_after_few_steps():
    assert [step for step in range(1, 301) if is_due(step, 300)] == [4, 16, 64, 256, 300]


def test_offline_grpo_with_a_penalty(world, by_hand):
    options = {"kl_beta": 0.7}
    means = world.frame.groupby("prompt_id").reward.mean()
    losses = []
    for row in world.frame.itertuples():
        log_p, reference = (
            by_hand.log_probs(row.prompt_id, row.completion, row.finish_reason == "stop", base)
            for base in (False, True)
        )
        gap = reference - log_p
        losses.append(-(row.reward - means[row.prompt_id] + 0.1) * log_p + 0.7 * (gap.exp() - gap - 1))
    trainer, job = token_trainer(world, "offline_grpo", options, splits=8, needs_reference=True)
    agrees(trainer, job, by_hand, torch.cat(losses).mean())


@pytest.mark.parametrize(("name", "loss_type"), [("sft", "nll"), ("dft", "dft")])
def test_sft_and_dft_are_those_of_trl(world, name, loss_type):
    ours, job = token_trainer(world, name, {}, splits=4)
    rows = ours.train_dataset.select_columns(["input_ids", "labels"])
    arguments = SFTConfig(
        loss_type=loss_type, max_length=None, dataset_kwargs={"skip_prepare_dataset": True}, **common_arguments(job)
    )
    theirs = SFTTrainer(
        model=load_trainable_model(job), args=arguments, train_dataset=rows, processing_class=world.tokenizer
    )
    theirs._get_train_sampler = lambda dataset=None: torch.utils.data.SequentialSampler(rows)
    disturb(theirs.model)
    theirs.train()
    entry = theirs.state.log_history[0]
    assert first_step(ours, job) == pytest.approx((entry["loss"], entry["grad_norm"]), abs=TOLERANCE)


# --- losses on pairs ---


def pairs_by_hand(world, by_hand, rule, base=False):
    """Return [(log p of the correct completion, of the wrong one)] with the pairs that the rule asks for."""
    pairs = []
    for prompt_id, group in world.frame.groupby("prompt_id"):
        correct, wrong = group[group.reward > 0], group[group.reward <= 0]
        if rule == "one_per_prompt":
            correct, wrong = correct[:1], wrong[:1]
        for winner in correct.itertuples():
            for loser in wrong.itertuples():
                sides = (winner, loser)
                pairs.append(tuple(by_hand.log_probs(prompt_id, side.completion, base=base) for side in sides))
    return pairs


def preference_trainer(world, rule, split, arguments, trainer_class=preference.PreferenceTrainer):
    size = {"one_per_prompt": 2, "all_cross": 6}[rule]
    job = world.job(batch_size=size, micro_batch_size=size // split)
    pairs = preference.training_pairs(job, rule)
    assert len(pairs) == size
    return preference.make_preference_trainer(job, pairs, world.tokenizer, arguments, trainer_class), job


PAIR_CASES = [("one_per_prompt", 1), ("all_cross", 3)]


@pytest.mark.parametrize(("rule", "split"), PAIR_CASES)
def test_dpo(world, by_hand, rule, split):
    policy, base = pairs_by_hand(world, by_hand, rule), pairs_by_hand(world, by_hand, rule, base=True)
    margins = [
        (winner.sum() - base_winner.sum()) - (loser.sum() - base_loser.sum())
        for (winner, loser), (base_winner, base_loser) in zip(policy, base, strict=True)
    ]
    expected = -logsigmoid(0.3 * torch.stack(margins)).mean()
    agrees(*preference_trainer(world, rule, split, {"loss_type": "sigmoid", "beta": 0.3}), by_hand, expected, SUMMED)


@pytest.mark.parametrize(("rule", "split"), PAIR_CASES)
def test_ipo(world, by_hand, rule, split):
    policy, base = pairs_by_hand(world, by_hand, rule), pairs_by_hand(world, by_hand, rule, base=True)
    margins = [
        (winner.mean() - base_winner.mean()) - (loser.mean() - base_loser.mean())
        for (winner, loser), (base_winner, base_loser) in zip(policy, base, strict=True)
    ]
    expected = ((torch.stack(margins) - 1 / (2 * 0.4)) ** 2).mean()
    agrees(*preference_trainer(world, rule, split, {"loss_type": "ipo", "beta": 0.4}), by_hand, expected, SUMMED)


@pytest.mark.parametrize(("rule", "split"), PAIR_CASES)
def test_simpo(world, by_hand, rule, split):
    def trainer_class(*args, **kwargs):
        return reference_free.ReferenceFreeTrainer(*args, gamma=0.5, **kwargs)

    margins = [winner.mean() - loser.mean() for winner, loser in pairs_by_hand(world, by_hand, rule)]
    expected = -logsigmoid(2.5 * torch.stack(margins) - 0.5).mean()
    agrees(*preference_trainer(world, rule, split, {"beta": 2.5}, trainer_class), by_hand, expected, SUMMED)


# --- unpaired ---


@pytest.mark.parametrize("micro", [16, 4])
def test_kto(world, by_hand, micro):
    job = world.job(micro_batch_size=micro)
    options = method_module("kto").Options(beta=0.3, desirable_weight=1.5, undesirable_weight=0.75)
    rows = labelled_rows(world.frame.assign(weight=1.0), job)
    ordered = in_training_order(rows, job)
    trainer = unpaired.make_unpaired_trainer(job, options, unpaired.unpaired_rows(ordered, 16), world.tokenizer)

    tokens = [(row["input_ids"], sum(label == -100 for label in row["labels"]), row["reward"]) for row in ordered]
    prompts = [ids[:split] for ids, split, _ in tokens]
    completions = [ids[split:] for ids, split, _ in tokens]

    def log_ratio(prompt, completion):
        return by_hand.of_tokens(prompt, completion).sum() - by_hand.of_tokens(prompt, completion, base=True).sum()

    shifted = completions[-1:] + completions[:-1]
    reference_point = torch.stack([log_ratio(*pair) for pair in zip(prompts, shifted, strict=True)]).mean().detach()
    assert reference_point > 0  # below it would be taken as 0, and its estimate would go untested
    losses = []
    for prompt, completion, (_, _, reward) in zip(prompts, completions, tokens, strict=True):
        gain = 0.3 * (log_ratio(prompt, completion) - reference_point)
        losses.append(1.5 * (1 - torch.sigmoid(gain)) if reward else 0.75 * (1 - torch.sigmoid(-gain)))
    agrees(trainer, job, by_hand, torch.stack(losses).mean())
