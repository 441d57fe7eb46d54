"""Online GRPO: group-relative policy optimisation on completions of the policy itself (arXiv 2402.03300).

The clipped ratio times A = (r - mean) / (std + 1e-4) of the prompt's group, averaged over the tokens of each completion
and then over the completions; an optional KL penalty to the base.
"""

from pydantic import Field

from lossgeometry.settings.on_policy import OnPolicy

TITLE = "Online GRPO"
CITATION = "arXiv:2402.03300"
OBJECTIVE = "−min(ρₜA, clip(ρₜ, 1−ε, 1+ε)A), A = (r − mean)/std, mean over tokens, then completions"
OFFLINE = False


class Options(OnPolicy):
    """Sampling, clipping, and the penalty."""

    kl_beta: float = Field(0.0, ge=0)
    """Weight of the KL penalty to the base (k3 estimator per token)."""


def train(job, options):
    """Train one adapter."""
    from lossgeometry.on_policy.train import train_on_policy

    train_on_policy(job, options, {"loss_type": "grpo", "beta": options.kl_beta})
