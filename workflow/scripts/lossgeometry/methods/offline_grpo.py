"""Offline GRPO: the group-relative advantage on fixed rollouts, without clipping (arXiv 2402.03300; KRAFTON 2025).

-A_i sum_t log p_t with A_i = r_i - mean of its group + b: no division by the standard deviation, no ratio, no KL by
default.
"""

from typing import Literal

from pydantic import Field

from lossgeometry.settings.block import Block

TITLE = "Offline GRPO"
CITATION = "arXiv:2402.03300"
OBJECTIVE = "−Aᵢ Σₜ log pₜ with Aᵢ = rᵢ − mean(r of the group) + b"
OFFLINE = True


class Options(Block):
    """The advantage and what it multiplies."""

    bias: float = Field(0.1, ge=0)
    """b, which keeps groups without variance in the loss."""
    bias_on: Literal["all", "all_positive"] = "all"
    """`all`: on every group, so that also all-wrong groups are imitated (arXiv 2606.23740). `all_positive`: only where
    the whole group is correct (KRAFTON)."""
    surrogate: Literal["logp", "prob"] = "logp"
    """What the advantage multiplies: log p (arXiv 2606.23740; unbounded below where A < 0) or p (KRAFTON; bounded)."""
    kl_beta: float = Field(0.0, ge=0)
    """Weight of the KL penalty to the base (k3 estimator per token, as in GRPO)."""


def select(rollouts, options, job):
    """Return the rollouts weighted by their advantage. A group of one has no baseline and is left out."""
    groups = rollouts.groupby("prompt_id").reward
    size = groups.transform("size")
    job.skip("alone in their group, so without an advantage", int((size == 1).sum()))
    mean = groups.transform("mean")
    biased = mean >= 1 if options.bias_on == "all_positive" else mean >= 0
    weighted = rollouts.assign(weight=rollouts.reward - mean + options.bias * biased)
    kept = weighted[(size > 1) & (weighted.weight != 0)]
    job.require(len(kept), "every advantage is zero; sample several completions per prompt or raise options.bias")
    return kept


def token_loss(tokens, options):
    """Return the loss of each token, (rows, length)."""
    gain = tokens.log_probs if options.surrogate == "logp" else tokens.log_probs.exp()
    loss = -tokens.weight * gain
    if options.kl_beta:
        gap = tokens.reference_log_probs - tokens.log_probs
        loss = loss + options.kl_beta * (gap.exp() - gap - 1)
    return loss


def train(job, options):
    """Train one adapter."""
    from lossgeometry.training.token_loss import train_token_loss

    train_token_loss(job, options, select, token_loss, needs_reference=options.kl_beta > 0)
