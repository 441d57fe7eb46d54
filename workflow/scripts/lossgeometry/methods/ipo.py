"""Identity preference optimisation: a squared loss that stops at a finite margin (Azar et al. 2023, arXiv 2310.12036).

(m - 1 / (2 tau))^2, with m the difference of the two completions' log-ratios to the base, each averaged over its
tokens: the form that TRL implements after confirmation by the authors.
"""

from pydantic import Field

from lossgeometry.settings.block import Block
from lossgeometry.training.pairing import PairRule

TITLE = "IPO"
CITATION = "arXiv:2310.12036"
OBJECTIVE = "(mean log-ratio of y_w − mean log-ratio of y_l − 1/(2τ))²"
OFFLINE = True


class Options(Block):
    """The preference loss and its pairs."""

    beta: float = Field(0.1, gt=0)
    """tau: the margin aimed at is 1 / (2 tau) per token."""
    pairs: PairRule = "one_per_prompt"
    """`one_per_prompt`: the first correct and the first wrong rollout; `all_cross`: every combination of the two."""


def pair_loss(pairs, options):
    """Return the loss of each pair, (pairs,)."""
    chosen = (pairs.chosen - pairs.reference_chosen) / pairs.chosen_tokens
    rejected = (pairs.rejected - pairs.reference_rejected) / pairs.rejected_tokens
    return (chosen - rejected - 1 / (2 * options.beta)) ** 2


def train(job, options):
    """Train one adapter."""
    from lossgeometry.training.preference import train_preference

    train_preference(job, options.pairs, {"loss_type": "ipo", "beta": options.beta})
