"""Kahneman-Tversky optimisation: every rollout is desirable or not, no pairs are needed (arXiv 2402.01306).

w (1 - sigmoid(+-beta (log-ratio to the base - z))), with the sign of the reward and z the mean log-ratio of mismatched
prompts and completions over the optimiser batch, at least 0.
"""

from pydantic import Field

from lossgeometry.settings.block import Block

TITLE = "KTO"
CITATION = "arXiv:2402.01306"
OBJECTIVE = "w(1 − σ(±β(log π − log ref − z₀)))"
OFFLINE = True


class Options(Block):
    """The value function."""

    beta: float = Field(0.1, gt=0)
    """Strength of the pull towards the reference."""
    desirable_weight: float = Field(1.0, gt=0)
    """w of correct rollouts."""
    undesirable_weight: float = Field(1.0, gt=0)
    """w of wrong rollouts; the paper balances the two sums of weights when one side is rare."""


def row_loss(rows, options):
    """Return the loss of each rollout, (rows,), at the reference point 0: exact at the base, where no log-ratio differs."""
    weight = options.desirable_weight * rows.right + options.undesirable_weight * (1 - rows.right)
    return weight * (1 - ((2 * rows.right - 1) * options.beta * (rows.log_prob - rows.reference)).sigmoid())


def train(job, options):
    """Train one adapter."""
    from lossgeometry.training.unpaired import train_unpaired

    train_unpaired(job, options)
