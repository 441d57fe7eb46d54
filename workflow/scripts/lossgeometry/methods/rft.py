"""Rejection-sampling fine-tuning: SFT on the correct rollouts only (Yuan et al. 2023, arXiv 2308.01825)."""

from pydantic import model_serializer

from lossgeometry.settings.block import Block

TITLE = "RFT"
CITATION = "arXiv:2308.01825"
OBJECTIVE = "−Σₜ log pₜ over the correct rollouts"
OFFLINE = True


class Options(Block):
    """Which of the correct rollouts."""

    distinct: bool = False
    """Of completions of one prompt that are equal up to white space, train on the first alone. The RFT paper keeps distinct
    solutions, which it tells apart by their equations; arXiv 2606.23740 does not say."""

    @model_serializer(mode="wrap")
    def _where_it_is_set(self, serialize):
        # A run on all correct rollouts is not told of a choice that it does not make.
        return serialize(self) if self.distinct else {}


def select(rollouts, options, job):
    """Return the rollouts with reward 1. Equal steps are not equal epochs: training.csv logs both."""
    correct = rollouts[rollouts.reward > 0]
    if options.distinct:
        text = correct.completion.str.split().str.join(" ")
        repeated = correct.assign(text=text).duplicated(["prompt_id", "text"])
        job.skip("repeats of a correct completion of their prompt", int(repeated.sum()))
        correct = correct[~repeated]
    job.require(len(correct), "no rollout is correct; sample a stronger teacher or easier prompts, or drop rft")
    return correct.assign(weight=1.0)


def token_loss(tokens, options):
    """Return -log p of each token, (rows, length)."""
    return -tokens.log_probs


def train(job, options):
    """Train one adapter."""
    from lossgeometry.training.token_loss import train_token_loss

    train_token_loss(job, options, select, token_loss)
