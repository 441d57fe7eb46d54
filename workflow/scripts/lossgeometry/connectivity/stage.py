"""The stage of linear mode connectivity: what it measures, costs and shows."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from lossgeometry.planning.estimates import (
    LOAD_HOURS,
    PROMPT_TOKENS,
    Cost,
    Work,
    completion_tokens,
    forward_hours,
)
from lossgeometry.stage import RUN_PAIR, SMOKE_PROMPTS, Column, Figure, Stage, Table, cut

if TYPE_CHECKING:
    from lossgeometry.experiment.config import Config

LOSSES = {
    "reference_solution": "Loss on held-out solutions (nats per token)",
    "boxed_answer": "Loss on the bare boxed answer (nats per token)",
    "accuracy": "Greedy accuracy along the path",
}
NATS = "nats per token"


def _asked(config: "Config") -> bool:
    return bool(config.connectivity_pairs)


def _on_gpu(config: "Config") -> bool:
    return _asked(config) and config.connectivity.precision == "bfloat16"


def _shrink(block: dict[str, Any]) -> dict[str, Any]:
    return cut(block, sequences=SMOKE_PROMPTS, accuracy_problems=SMOKE_PROMPTS) | {
        "points": (0.0, 0.5, 1.0),
        "shrink_points": block["shrink_points"][:1],
        "accuracy_points": block["accuracy_points"][:1],
    }


def _costs(config: "Config", work: Work) -> Sequence[Cost]:
    stage, pairs = config.connectivity, config.connectivity_pairs
    if not pairs:
        return ()
    runs = {run for pair in pairs for run in pair}
    solution = completion_tokens(config.rollouts.sampling.max_new_tokens) * ("reference_solution" in stage.losses)
    per_point = stage.sequences * (PROMPT_TOKENS * len(stage.losses) + solution)
    # The base is an end point too, with one measurement.
    points = len(pairs) * len(stage.points) + len(runs) * (1 + len(stage.shrink_points)) + 1
    jobs = len(pairs) + len(runs) + 1
    hours = forward_hours(work.shape, points * per_point, work.device) + jobs * LOAD_HOURS
    return [Cost("connectivity", jobs, hours, 0.0)]


def _figures(config: "Config") -> Iterator[Figure]:
    for loss in config.connectivity.losses if _asked(config) else ():
        name, title = f"connectivity_{loss}", LOSSES[loss]
        yield Figure(name, "connectivity", "Function space", "path", title, loss, {"loss": loss})


CONNECTIVITY = Table(
    "connectivity",
    "One loss at one point of the straight line between two updates, (1 - t) dW_a + t dW_b",
    (
        *RUN_PAIR,
        Column("loss", "`reference_solution`, `boxed_answer`, or `accuracy`: the share of problems solved greedily"),
        Column("t", "place on the line: 0 is the first run, 1 the second"),
        Column("value", "mean over sequences", "nats per token; accuracy: share"),
        Column("se", "its standard error over sequences", "as `value`"),
        Column("norm", "Frobenius norm of the update at this point"),
    ),
    _asked,
    ("pair", "loss", "t", "value", "se", "norm"),
)
BARRIERS = Table(
    "barriers",
    "One path under one loss, in one line",
    (
        *RUN_PAIR,
        Column("loss", "`reference_solution` or `boxed_answer`"),
        Column("loss_a", "loss of the first run", NATS),
        Column("loss_b", "loss of the second run", NATS),
        Column("loss_base", "loss of the base", NATS),
        Column("frankle", "largest excess over the mean of the two ends (Frankle)", NATS),
        Column("frankle_se", "its standard error", NATS),
        Column("frankle_t", "where that is largest"),
        Column("t", "where the path rises furthest above both the chord and the control, strictly between the ends"),
        Column("excess", "excess over the straight line between the two ends there (Entezari)", NATS),
        Column("excess_se", "its standard error, paired by sequence", NATS),
        Column("control", "excess that both updates show there when each is shrunk alone as much as the path is", NATS),
        Column("difference", "height of the barrier: the smaller of the excess and of excess minus control", NATS),
        Column("difference_se", "its standard error, paired by sequence", NATS),
        Column(
            "difference_low", "lower end of its 95 % interval, bootstrap-t over sequences of the largest over t", NATS
        ),
        Column("difference_high", "upper end of that interval", NATS),
        Column(
            "smallest_effect",
            "height from which a barrier counts, `connectivity.smallest_barrier` of the ends' loss",
            NATS,
        ),
        Column("p", "two-sided p-value of a height that does not exceed the smallest effect"),
        Column("p_holm", "the same after Holm over all pairs of one loss"),
        Column("verdict", "`barrier`, `no barrier` or `cannot tell`"),
        Column("reason", "why it cannot be told, or why values are undefined"),
    ),
    _asked,
    None,
)
SHRINKAGE = Table(
    "shrinkage",
    "One loss of one update alone, at a multiple of itself on its way to the base",
    (
        Column("run", "run, or `base`"),
        Column("loss", "`reference_solution` or `boxed_answer`"),
        Column("multiple", "factor on the update: 0 is the base, 1 the run itself"),
        Column("value", "mean over sequences", NATS),
        Column("se", "its standard error over sequences", NATS),
    ),
    _asked,
)
STAGE = Stage(
    block="connectivity",
    tables=(CONNECTIVITY, BARRIERS, SHRINKAGE),
    on_gpu=_on_gpu,
    shrink=_shrink,
    costs=_costs,
    figures=_figures,
    section="connectivity.section",
    statements="connectivity.statements",
    charts="connectivity.charts",
)
