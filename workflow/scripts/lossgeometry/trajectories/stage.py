"""The stage of trajectories: what it tabulates and shows."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lossgeometry.stage import RUN_PAIR, Column, Figure, Stage, Table

if TYPE_CHECKING:
    from lossgeometry.experiment.config import Config

CHANCE = "of orthogonal increments of the same lengths, exact"


def _asked(config: "Config") -> bool:
    return bool(config.snapshots)


def followed_pairs(config: "Config") -> list[tuple[str, str]]:
    """Return the pairs of runs that both have snapshots, among those compared."""
    return [(a, b) for a, b in config.pairs if a in config.snapshots and b in config.snapshots]


def _compared(config: "Config") -> bool:
    return bool(followed_pairs(config))


def _figures(config: "Config") -> Iterator[Figure]:
    if not _compared(config):
        return
    yield Figure("cosine_by_step", "cosine_by_step", "Trajectories", "cosine_by_step", "cosine after as many steps")
    yield Figure("step_map", "step_map", "Trajectories", "step_map")


REPLICATE = Column(
    "replicate",
    "what alone the two differ in, of one loss at one rate: `order`, `initialisation`, `both` or `rate`; empty for two losses",
)
TRAJECTORIES = Table(
    "trajectories",
    "One run after some of its steps; the last row of a run is the run itself",
    (
        Column("run", "id of the run"),
        Column("step", "optimiser steps taken; `<run>.t<step>` is the adapter"),
        Column("norm", "Frobenius norm of the update"),
        Column("moved", "norm of its difference to the row before; of the first, to the base"),
        Column("turn", "cosine of this difference and the one before"),
        Column("cosine_last", "cosine with the run itself"),
        Column("cosine_last_chance", f"the same {CHANCE}"),
        Column("efficiency", "norm over the length of the path until here"),
        Column("efficiency_chance", f"the same {CHANCE}"),
        Column("first_direction", "share of the squared norms until here that lies along one direction"),
        Column("first_direction_chance", f"the same {CHANCE}"),
        Column("effective_rank", "directions that the path takes until here: exp of the entropy of their shares"),
        Column("effective_rank_chance", f"the same {CHANCE}"),
        Column("kl", "KL(base || run) on the base's answers; empty where it is not measured", "nats per token"),
    ),
    _asked,
    None,
)
STEP_PAIRS = Table(
    "step_pairs",
    "One run after some of its steps, and another after some of its own",
    (
        *RUN_PAIR,
        REPLICATE,
        Column("step_a", "optimiser steps of the first run"),
        Column("step_b", "optimiser steps of the second run"),
        Column("cosine", "cosine of the two updates"),
        Column("cosine_sd", "its standard deviation between unrelated updates, whose mean is 0"),
        Column("gram_alignment", "cosine of dW dW' of the two, which is blind to the input side"),
        Column("gram_alignment_chance", "its mean between unrelated updates"),
        Column("gram_alignment_sd", "and its standard deviation"),
    ),
    _compared,
    ("pair", "replicate", "step_a", "step_b", "cosine"),
)
MATCHED = Table(
    "matched",
    "Two runs where they are alike: after as many steps, at one norm, or at one distance in behaviour from the base",
    (
        *RUN_PAIR,
        REPLICATE,
        Column("at", "`step`, `norm` or `KL`: what they share; KL where it is measured on the way of both"),
        Column("level", "its value: steps, Frobenius norm, or nats per token"),
        Column("end", "whether the run that gets less far ends there"),
        Column("step_a", "steps of the first run when it first gets there, in proportion between snapshots"),
        Column("step_b", "steps of the second run"),
        Column("norm_a", "norm of the first update there"),
        Column("norm_b", "norm of the second"),
        Column("cosine", "cosine of the two, exact on the straight lines between snapshots"),
        Column("cosine_sd", "its standard deviation between unrelated updates, at most"),
        Column("note", "who never gets there, and how far"),
        Column("verdict", "whether chance explains the cosine: `inside chance`, `above chance`, `below chance`"),
    ),
    _compared,
    ("pair", "replicate", "at", "level", "end", "step_a", "step_b", "cosine", "cosine_sd", "note", "verdict"),
)
STAGE = Stage(
    block="",
    tables=(TRAJECTORIES, STEP_PAIRS, MATCHED),
    figures=_figures,
    section="trajectories.section",
    statements="trajectories.statements",
    charts="trajectories.charts",
)
