"""Reward-informed fine-tuning: likelihood on correct rollouts, a bounded penalty on wrong ones (arXiv 2601.09253).

`surrogate` is the RIFT paper's: -r log p for r > 0, and for r < 0 the logarithm is replaced by the probability, -r p,
which stays bounded as p falls. `linear_weight` is the form in arXiv 2606.23740: (1 - lambda r) times the cross-entropy,
r in {0, 1}.
"""

import sys
from typing import Literal

from pydantic import Field

from lossgeometry.settings.block import Block

TITLE = "RIFT"
CITATION = "arXiv:2601.09253"
OBJECTIVE = "−r⁺ Σₜ log pₜ on correct rollouts, −r⁻ Σₜ pₜ on wrong ones"
OFFLINE = True


class Options(Block):
    """How rewards enter the loss."""

    variant: Literal["surrogate", "linear_weight"] = "surrogate"
    """Which of the two published forms."""
    reward_positive: float = Field(1.0, gt=0)
    """r of a correct rollout (surrogate)."""
    reward_negative: float = Field(-0.2, le=0)
    """r of a wrong rollout (surrogate)."""
    probability: Literal["token", "geometric_mean"] = "token"
    """Probability that replaces the logarithm: of each token, or the geometric mean over the completion. The product
    over the completion, which the paper writes, underflows to 0 and silently turns RIFT into RFT, so it is not
    offered."""
    reward_weight: float = -1.0
    """lambda of `linear_weight`, which the paper does not state. Above 0 it weights wrong rollouts above correct
    ones."""


def select(rollouts, options, job):
    """Return all rollouts, weighted by their signed reward (surrogate) or by 1 - lambda r (linear_weight)."""
    correct = rollouts.reward > 0
    if options.variant == "linear_weight":
        if options.reward_weight > 0:
            print("warning: rift with reward_weight > 0 weights wrong rollouts above correct ones", file=sys.stderr)
        return rollouts.assign(weight=1.0 - options.reward_weight * correct)
    signed = correct * options.reward_positive + (1 - correct) * options.reward_negative
    return rollouts.assign(weight=signed.astype(float))


def token_loss(tokens, options):
    """Return the loss of each token, (rows, length)."""
    if options.variant == "linear_weight":
        return -tokens.weight * tokens.log_probs
    if options.probability == "token":
        probability = tokens.log_probs.exp()
    else:
        lengths = tokens.mask.sum(dim=1, keepdim=True).clamp(min=1)
        probability = ((tokens.log_probs * tokens.mask).sum(dim=1, keepdim=True) / lengths).exp() * tokens.mask
    positive = (tokens.weight > 0).to(tokens.log_probs.dtype)
    return -tokens.weight * (positive * tokens.log_probs + (1 - positive) * probability)


def train(job, options):
    """Train one adapter."""
    from lossgeometry.training.token_loss import train_token_loss

    train_token_loss(job, options, select, token_loss)
