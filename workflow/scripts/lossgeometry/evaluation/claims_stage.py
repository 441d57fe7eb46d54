"""The paper's claims, put to the tables of the other stages."""

from typing import TYPE_CHECKING

from lossgeometry.stage import Column, Stage, Table

if TYPE_CHECKING:
    from lossgeometry.experiment.config import Config


def _asked(config: "Config") -> bool:
    return bool(config.trained)


CLAIMS = Table(
    "claims",
    "One part of one claim of the paper",
    (
        Column("claim", "number of the claim in resources/paper_reference.yaml"),
        Column("part", "part of the claim; empty where it has one only"),
        Column("statement", "what the paper says"),
        Column("quantity", "what decides"),
        Column("rule", "how the verdict follows from it"),
        Column("paper", "the paper's value"),
        Column("ours", "this experiment's value"),
        Column("band", "chance level or interval beside it"),
        Column("verdict", "`agrees`, `contradicts`, `cannot tell` or `not run`"),
        Column("caveat", "what to beware of"),
    ),
    _asked,
    None,
)
STAGE = Stage(block="", tables=(CLAIMS,), section="evaluation.claims_section")
