"""Simple preference optimisation: mean log-probabilities instead of log-ratios, and a target margin (arXiv 2405.14734).

-log sigmoid(beta (mean log pi_w - mean log pi_l) - gamma): there is no reference model.
"""

from pydantic import Field

from lossgeometry.settings.block import Block
from lossgeometry.training.pairing import PairRule

TITLE = "SimPO"
CITATION = "arXiv:2405.14734"
OBJECTIVE = "−log σ(β(mean log π_w − mean log π_l) − γ)"
OFFLINE = True


class Options(Block):
    """The preference loss and its pairs."""

    beta: float = Field(2.0, gt=0)
    """Scale of the mean log-probabilities."""
    gamma: float = Field(1.0, ge=0)
    """Margin aimed at."""
    pairs: PairRule = "one_per_prompt"
    """`one_per_prompt`: the first correct and the first wrong rollout; `all_cross`: every combination of the two."""


def pair_loss(pairs, options):
    """Return the loss of each pair, (pairs,)."""
    chosen, rejected = pairs.chosen / pairs.chosen_tokens, pairs.rejected / pairs.rejected_tokens
    return -(options.beta * (chosen - rejected) - options.gamma).sigmoid().log()


def train(job, options):
    """Train one adapter."""
    from lossgeometry.training.reference_free import train_reference_free

    train_reference_free(job, options.pairs, options.beta, options.gamma)
