"""DAPO: decoupled clipping and dynamic sampling (arXiv 2503.14476).

Against Online GRPO: a wider upper clip, the mean over all tokens of the batch, no KL penalty, a reward that falls as a
completion nears its budget, and groups that are all right or all wrong replaced by others before the step.
"""

from pydantic import Field

from lossgeometry.settings.on_policy import OnPolicy

TITLE = "Online DAPO"
CITATION = "arXiv:2503.14476"
OBJECTIVE = "−min(ρₜA, clip(ρₜ, 1−ε_low, 1+ε_high)A), mean over all tokens, mixed groups only"
OFFLINE = False


class Options(OnPolicy):
    """Sampling, clipping, shaping and refilling."""

    epsilon_high: float = Field(0.28, gt=0)
    """How far the ratio may rise above 1: further than it may fall, so that unlikely tokens can grow."""
    overlong_cache: int = Field(16, ge=0)
    """Tokens before the budget over which the reward falls by up to 1 (equation 13); 0 leaves the reward alone."""
    max_rounds: int = Field(10, ge=1)
    """Most rounds of sampling that fill a batch with mixed groups, the first included; later ones replace the others."""


def train(job, options):
    """Train one adapter."""
    from lossgeometry.on_policy.train import train_on_policy

    train_on_policy(
        job,
        options,
        {"loss_type": "dapo", "beta": 0.0},
        max_rounds=options.max_rounds,
        overlong_cache=options.overlong_cache,
    )
