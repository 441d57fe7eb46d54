"""The paper's claims, put to the tables of the other stages."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lossgeometry.stage import Column, Figure, Stage, Table

if TYPE_CHECKING:
    from lossgeometry.experiment.config import Config


def _asked(config: "Config") -> bool:
    return bool(config.trained)


def _figures(config: "Config") -> Iterator[Figure]:
    if _asked(config):
        yield Figure("claims", "claims", "Claims", "claims", "the quantity that each claim is about")


CLAIMS = Table(
    "claims",
    "One part of one claim of the paper, at each method's own learning rates or at matched ones",
    (
        Column("claim", "number of the claim in resources/paper_reference.yaml"),
        Column("part", "part of the claim; empty where it has one only"),
        Column("learning_rates", "`own`: those of the methods; `matched`: those that the methods share"),
        Column("statement", "what the paper says"),
        Column("quantity", "what decides"),
        Column("rule", "how the verdict follows from it"),
        Column("paper", "the paper's value"),
        Column("ours", "this experiment's value"),
        Column(
            "predicted",
            "of cosines of offline losses: what gradients said before training, and with its sign what training added",
        ),
        Column("band", "chance level or interval beside it"),
        Column("verdict", "`same here`, `differs here`, `cannot tell` or `not tested`"),
        Column("reason", "why it cannot tell, or was not tested, and the key that would change it"),
        Column("replicates", "seeds, learning rates or pairs that the verdict rests on, joined by semicolons"),
        Column("decoding", "decoding and benchmark of a claim about accuracy"),
        Column(
            "smallest_difference",
            "what could have been seen: for accuracies four times out of five, else the spread between replicates",
        ),
        Column("caveat", "what to beware of"),
        Column("paper_low", "smallest number that the paper states of the quantity"),
        Column("paper_high", "largest number that the paper states of it"),
        Column("ours_low", "smallest value of the quantity over the replicates"),
        Column("ours_high", "largest value over them"),
    ),
    _asked,
    None,
)
STAGE = Stage(
    block="",
    tables=(CLAIMS,),
    figures=_figures,
    section="claims.section",
    statements="claims.statements",
    charts="claims.charts",
)
