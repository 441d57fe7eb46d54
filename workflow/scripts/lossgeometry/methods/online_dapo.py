"""DAPO: decoupled clipping and dynamic sampling (arXiv 2503.14476).

Against Online GRPO: a reward of 1 or -1 that falls as a completion nears its budget, a wider upper clip, the mean over all
tokens of the batch, no KL penalty, and groups that are all right or all wrong replaced by others before the step.
"""

from pydantic import Field

from lossgeometry.settings.on_policy import OnPolicy

TITLE = "Online DAPO"
CITATION = "arXiv:2503.14476"
OBJECTIVE = "−min(ρₜA, clip(ρₜ, 1−ε_low, 1+ε_high)A), r = ±1 and a length term, mean over all tokens, mixed groups only"
OFFLINE = False


class Options(OnPolicy):
    """Sampling, clipping, shaping and refilling."""

    updates_per_generation: int = Field(2, ge=1)
    """Optimiser steps on one generated batch; with 1 the ratio is 1 at every step, and clipping never acts."""
    epsilon_high: float = Field(0.28, gt=0)
    """How far the ratio may rise above 1: further than it may fall, so that unlikely tokens can grow."""
    overlong_cache: int = Field(16, ge=0)
    """Tokens before the budget over which the reward falls by up to 1 (equation 13); 0 leaves the reward alone."""
    oversampling: float = Field(3.0, ge=1)
    """Prompts that are sampled at once for each group that is missing in a batch; the first mixed ones are kept, in order. The
    more, the fewer calls of the engine, and the more is sampled in vain."""
    max_rounds: int = Field(10, ge=1)
    """Most calls of the engine that fill a batch. One that is still short is completed with groups without an advantage."""
    max_empty_batches: int = Field(20, ge=1)
    """Batches in a row without a mixed group after which the run is given up; the steps of one alone have no gradient, and are
    counted."""


def train(job, options):
    """Train one adapter."""
    from lossgeometry.on_policy.dapo import Dapo
    from lossgeometry.on_policy.train import train_on_policy

    dapo = Dapo(options.overlong_cache, options.oversampling, options.max_rounds, options.max_empty_batches)
    train_on_policy(job, options, {"loss_type": "dapo", "beta": 0.0}, dapo)
