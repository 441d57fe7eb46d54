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


def train(job, options):
    """Train one adapter."""
    from lossgeometry.training.unpaired import train_unpaired

    train_unpaired(job, options)
