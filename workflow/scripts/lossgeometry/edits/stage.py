"""The stage of edits: what it makes and shows."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lossgeometry.evaluation.tables import DIFFERENCES
from lossgeometry.stage import Column, Figure, Stage, Table

if TYPE_CHECKING:
    from lossgeometry.experiment.config import Config


def _asked(config: "Config") -> bool:
    return bool(config.edits)


def _answered(config: "Config") -> bool:
    return bool(config.edits and config.evaluation.benchmarks)


def _crossed(config: "Config") -> bool:
    return _answered(config) and any(edit.to_norm_of for edit in config.edits.values())


def _figures(config: "Config") -> Iterator[Figure]:
    """Of the benchmark that the page shows first."""
    if not _answered(config):
        return
    name = next(iter(config.evaluation.benchmarks))
    title, state = f"accuracy on {name} less that of the base, on the same problems", {"benchmark": name}
    yield Figure("edits", "edits", "Interventions", "edits", title, name, state)
    if _crossed(config):
        yield Figure("direction_by_norm", "direction_by_norm", "Interventions", "direction_by_norm", title, name, state)


KEPT = Table(
    "edits",
    "One edit: what it kept of its parent in weights, and how far it moves what is written",
    (
        Column("run", "`edit.<name>`"),
        Column("operation", "what was done, with its argument"),
        Column("parent", "run that was edited; of a merge the first"),
        Column("norm", "Frobenius norm of the edited update"),
        Column("norm_share", "its share of the parent's norm"),
        Column("cosine_to_parent", "cosine of the two updates"),
        Column("left_out", "share of the squared norm that a truncation left out"),
        Column(
            "kl", "KL(base || edit) on the base's answers; undefined where behaviour is not measured", "nats per token"
        ),
        Column("kl_parent", "the same for the parent", "nats per token"),
        Column("kl_random", "the same for random directions of equal singular values", "nats per token"),
    ),
    _asked,
    None,
)
EFFECTS = Table(
    "edit_effects",
    "One edit beside the base, its parent or its random directions, on one benchmark under one decoding",
    (
        *DIFFERENCES.columns,
        Column("kept_share", "share of the parent's change from the base that the edit has; beside the parent alone"),
        Column("kept_low", "lower end of Fieller's 95 % interval over problems"),
        Column("kept_high", "upper end of that interval"),
        Column("note", "why the share is undefined"),
    ),
    _answered,
    None,
)
CROSSED = Table(
    "direction_by_norm",
    "One direction at one norm beside the base, or two of these that share one of both",
    (
        Column("direction", "run whose direction both have; empty where they differ in it"),
        Column("norm_of", "run whose norm both have, likewise"),
        *DIFFERENCES.columns,
    ),
    _crossed,
    None,
)
STAGE = Stage(
    block="edits",
    tables=(KEPT, EFFECTS, CROSSED),
    figures=_figures,
    section="edits.section",
    statements="edits.statements",
    charts="edits.charts",
)
