"""The stage of the audit: what gradients say before training, what it costs and shows."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from lossgeometry.audit.losses import audited, composed
from lossgeometry.planning.estimates import (
    LOAD_HOURS,
    PROMPT_TOKENS,
    Cost,
    Work,
    completion_tokens,
    forward_hours,
)
from lossgeometry.settings.audit import INITIALISATION
from lossgeometry.stage import RUN_PAIR, SMOKE_PROMPTS, Column, Figure, Stage, Table, cut

if TYPE_CHECKING:
    from lossgeometry.experiment.config import Config

FORWARD_EQUIVALENTS = 4
"""One pass for the log-probabilities, one that keeps the graph, and one backwards for each of two directions of coefficients."""


def _asked(config: "Config") -> bool:
    return bool(config.audit.points)


def _predicts(config: "Config") -> bool:
    return INITIALISATION in config.audit.points and bool(config.pairs)


def _on_gpu(config: "Config") -> bool:
    return _asked(config) and config.audit.precision == "bfloat16"


def _shrink(block: dict[str, Any]) -> dict[str, Any]:
    # Runs of other seeds and rates are gone.
    return cut(block, folds=SMOKE_PROMPTS // 2) | {"points": tuple(set(block["points"]) & {INITIALISATION})}


def _costs(config: "Config", work: Work) -> Sequence[Cost]:
    points = len(config.audit.points)
    if not points:
        return ()
    tokens = PROMPT_TOKENS + completion_tokens(config.rollouts.sampling.max_new_tokens)
    prompts = work.problems("train")
    rows = min(prompts, config.audit.prompts or prompts) * config.rollouts.samples_per_prompt
    hours = FORWARD_EQUIVALENTS * forward_hours(work.shape, rows * tokens, work.device) + LOAD_HOURS
    return [Cost("audit", points, points * hours, points * stored_bytes(config, work))]


def stored_bytes(config: "Config", work: Work) -> float:
    """Return the size of one file of products: one matrix over loss x fold per module, and one over all classes."""
    groups = len(audited(config)) * config.audit.folds
    modules = work.shape.layers * len(config.lora.target_modules)
    return 8.0 * (modules * groups**2 + (2 * groups) ** 2)


def _figures(config: "Config") -> Iterator[Figure]:
    if _predicts(config):
        yield Figure("predicted", "predicted", "Before training", "predicted", "cosine of the trained updates")
    if _predicts(config) and composed(config):
        first = audited(config)[0].label
        title = f"cosine with {first}: trained, and predicted (lines)"
        yield Figure("composition", "composition", "Before training", "composition", title, first, {"loss_a": first})
    if INITIALISATION in config.audit.points:
        first = audited(config)[0].label
        title = f"predicted cosine with {first}"
        yield Figure("regimes", "regimes", "Before training", "regimes", title, first, {"loss_a": first})


POINT = Column("point", "`initialisation`, or the run at whose adapter gradients are taken")
LOSSES = (Column("loss_a", "first loss: a key of `methods`"), Column("loss_b", "second loss"))
CORRECTED = (
    Column(
        "corrected",
        "cosine of the gradients on all prompts that there could be: products over disjoint folds only, so that noise may take it"
        " beyond 1",
    ),
    Column("corrected_se", "its standard error, from leaving out one fold at a time"),
)
AUDIT = Table(
    "audit",
    "Two losses at one point, before they are trained",
    (
        POINT,
        *LOSSES,
        Column("scope", "`global`, `projection` or `layer`"),
        Column("layer", "counted from 0; empty where layers are pooled"),
        Column("projection", "kind of matrix; empty where they are pooled"),
        Column("cosine", "cosine of the changes of dW that the two gradients on these rollouts stand for"),
        Column("null_sd", "its standard deviation where the outputs of one are turned at random; its mean is 0"),
        Column("verdict", "`inside chance`: within 1.96 null_sd of 0; else `above chance` or `below chance`"),
        *CORRECTED,
        Column("adam", "cosine after preconditioning as in Adam's first steps"),
        Column("placebo", "cosine of the two under shuffled verdicts; global only"),
        Column(
            "direction",
            "`one direction` where the 95 % interval of `corrected` lies above 0.95, `apart` where it lies below, else `cannot"
            " tell`",
        ),
        Column("note", "why a value is undefined"),
    ),
    _asked,
    None,
)
NOISE = Table(
    "noise",
    "The gradient of one loss at one point",
    (
        POINT,
        Column("loss", "key of `methods`"),
        Column("rows_right", "right rollouts that it takes"),
        Column("rows_wrong", "wrong rollouts that it takes"),
        Column("units", "rows, or pairs, that it is a sum over"),
        Column("passes", "how often training goes over them"),
        Column("prompts", "prompts of the rollouts"),
        Column(
            "noise_scale", "trace of the covariance of a prompt's gradient over the squared norm of its mean", "prompts"
        ),
        Column("noise_scale_se", "its standard error", "prompts"),
        Column("half_cosine", "expected cosine between the gradients on two disjoint halves of these prompts"),
        Column("prompts_80", "prompts whose gradient has an expected cosine of 0.80 to the population's"),
        Column("prompts_95", "the same for 0.95"),
        Column("note", "why a value is undefined"),
    ),
    _asked,
    None,
)
REGIME = Table(
    "regime",
    "Two losses at one point, were another share of the rollouts right",
    (
        POINT,
        *LOSSES,
        Column("share", "share of right rollouts; what a loss gives to a row of each kind is held as it is here"),
        Column("cosine", "cosine of the two gradients, from the mean gradients of right and of wrong rollouts"),
        *CORRECTED,
        Column("note", "why a value is undefined"),
    ),
    _asked,
    None,
)
PREDICTIONS = Table(
    "predictions",
    "One pair of runs of different losses: predicted before training, and trained",
    (
        *RUN_PAIR,
        *LOSSES,
        Column(
            "kind",
            "`own rates`: both at their methods' learning rates; `matched rates`: at one that they share; `control`: one of them"
            " saw shuffled verdicts; else the composition of both. `other seeds`: not from the initialisation that was audited",
        ),
        Column("predicted", "`cosine` of the table `audit` at the initialisation"),
        *CORRECTED,
        Column("adam", "`adam` of the table `audit`"),
        Column("trained", "cosine of the trained updates"),
        Column("difference", "trained - predicted: what training added"),
        Column("verdict", "`missed` where it is larger than `audit.largest_miss`, else `as predicted`"),
        Column("reason", "what is known of a pair that was missed"),
        Column("registered", "SHA-256 of tables/audit.csv, which no adapter is an input of"),
    ),
    _predicts,
    ("pair", "loss_a", "loss_b", "kind", "predicted", "trained", "difference", "verdict", "reason"),
)
AGREEMENT = Table(
    "agreement",
    "One way to predict cosines, over all pairs of one kind",
    (
        Column("kind", "as in `predictions`"),
        Column("predictor", "column of the table `audit`: `cosine`, `corrected` or `adam`"),
        Column("pairs", "pairs of runs"),
        Column("losses", "losses that they are of"),
        Column("spearman", "rank correlation of predicted and trained cosines"),
        Column("spearman_low", "lower end of its 95 % interval, from leaving out one loss at a time"),
        Column("spearman_high", "upper end of that interval"),
        Column("p", "share of renamings of the losses with a correlation as large (Mantel)"),
        Column("pearson", "correlation of predicted and trained cosines"),
        Column("mean_difference", "mean absolute difference"),
        Column("missed", "pairs with the verdict `missed`"),
        Column("note", "why values are undefined"),
    ),
    _predicts,
    None,
)
COMPOSITION = Table(
    "composition",
    "One pair of runs on one composition of the rollouts, in both orders; and the predicted curve where nothing is trained",
    (
        *RUN_PAIR,
        Column("loss_a", "key of `methods` that trains the first loss on all rollouts"),
        Column("loss_b", "the same for the second"),
        Column("share", "share of right rollouts of the composition"),
        Column("curve", "`cosine` of the table `regime` there: predicted from all rollouts"),
        Column("predicted", "`cosine` of the table `audit`: predicted from the rollouts of the composition"),
        Column("trained", "cosine of the trained updates"),
        Column("difference", "trained - curve"),
        Column("note", "why a value is undefined"),
    ),
    lambda config: _predicts(config) and composed(config),
    ("loss_a", "loss_b", "run_a", "share", "curve", "predicted", "trained"),
)
STAGE = Stage(
    block="audit",
    tables=(AUDIT, NOISE, REGIME, PREDICTIONS, AGREEMENT, COMPOSITION),
    on_gpu=_on_gpu,
    shrink=_shrink,
    costs=_costs,
    figures=_figures,
    section="audit.section",
    statements="audit.statements",
    charts="audit.charts",
)
