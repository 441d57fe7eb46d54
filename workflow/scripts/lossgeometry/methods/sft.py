"""Supervised fine-tuning on every rollout, right or wrong.

-sum_t log p_t, averaged over the tokens of the batch. That the wrong rollouts are in is the definition of arXiv
2606.23740.
"""

from lossgeometry.settings.block import Block

TITLE = "SFT"
CITATION = "arXiv:2606.23740"
OBJECTIVE = "−Σₜ log pₜ over all rollouts"
OFFLINE = True


class Options(Block):
    """SFT has no hyper-parameters of its own."""


def select(rollouts, options, job):
    """Return all rollouts with weight 1."""
    return rollouts.assign(weight=1.0)


def token_loss(tokens, options):
    """Return -log p of each token, (rows, length)."""
    return -tokens.log_probs


def train(job, options):
    """Train one adapter."""
    from lossgeometry.training.token_loss import train_token_loss

    train_token_loss(job, options, select, token_loss)
