"""Dynamic fine-tuning: each token's loss is weighted by its own probability (Wu et al. 2025, arXiv 2508.05629).

-sum_t sg(p_t) log p_t. The weight, which no gradient flows through, lets improbable tokens count less; the value of
this loss cannot be compared with a negative log-likelihood.
"""

from lossgeometry.settings.block import Block

TITLE = "DFT"
CITATION = "arXiv:2508.05629"
OBJECTIVE = "−Σₜ sg(pₜ) log pₜ over all rollouts"
OFFLINE = True


class Options(Block):
    """DFT has no hyper-parameters of its own."""


def select(rollouts, options, job):
    """Return all rollouts with weight 1."""
    return rollouts.assign(weight=1.0)


def token_loss(tokens, options):
    """Return -sg(p) log p of each token, (rows, length)."""
    return -tokens.log_probs.detach().exp() * tokens.log_probs


def train(job, options):
    """Train one adapter."""
    from lossgeometry.training.token_loss import train_token_loss

    train_token_loss(job, options, select, token_loss)
