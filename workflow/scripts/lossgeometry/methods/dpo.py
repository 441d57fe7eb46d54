"""Direct preference optimisation on pairs of a correct and a wrong rollout of one prompt (arXiv 2305.18290).

-log sigmoid(beta [(log pi_w - log ref_w) - (log pi_l - log ref_l)]), log-probabilities summed over the completion; the
reference is the base.
"""

from pydantic import Field

from lossgeometry.settings.block import Block
from lossgeometry.training.pairing import PairRule

TITLE = "DPO"
CITATION = "arXiv:2305.18290"
OBJECTIVE = "−log σ(β[(log π_w − log ref_w) − (log π_l − log ref_l)])"
OFFLINE = True


class Options(Block):
    """The preference loss and its pairs."""

    beta: float = Field(0.1, gt=0)
    """Strength of the pull towards the reference."""
    pairs: PairRule = "one_per_prompt"
    """`one_per_prompt`: the first correct and the first wrong rollout; `all_cross`: every combination of the two."""


def pair_loss(pairs, options):
    """Return the loss of each pair, (pairs,)."""
    chosen, rejected = pairs.chosen - pairs.reference_chosen, pairs.rejected - pairs.reference_rejected
    return -(options.beta * (chosen - rejected)).sigmoid().log()


def train(job, options):
    """Train one adapter."""
    from lossgeometry.training.preference import train_preference

    train_preference(job, options.pairs, {"loss_type": "sigmoid", "beta": options.beta})
