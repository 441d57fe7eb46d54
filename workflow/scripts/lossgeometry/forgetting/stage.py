"""The stage of forgetting: what it shows."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lossgeometry.stage import Column, Figure, Stage, Table

if TYPE_CHECKING:
    from lossgeometry.experiment.config import Config

OUTCOMES = {
    "accuracy_change": "Change of accuracy in the other skill",
    "cross_entropy_change": "Change of cross-entropy in the other skill",
}
PREDICTORS = {
    "kl_base_run": "KL(base, run)",
    "kl_run_base": "KL(run, base)",
    "norm": "norm of the update",
    "base_cosine_output": "cosine to the base's leading outputs",
    "base_cosine_input": "cosine to the base's leading inputs",
    "base_angle": "first angle to the base's leading outputs",
    "spectral_shift": "spectral shift of the base",
    "cka_shift": "1 - CKA with the base",
}
"""What of an update may foretell what it forgets, by column of `tables/forgetting.csv`."""


def _asked(config: "Config") -> bool:
    return config.forgets


def _figures(config: "Config") -> Iterator[Figure]:
    if _asked(config):
        title, state = "change of accuracy in the other skill, over KL(base, run)", {"predictor": "kl_base_run"}
        yield Figure(
            "forgetting", "forgetting", "Function space", "forgetting", title, "", state, width=360, height=300
        )


FORGETTING = Table(
    "forgetting",
    "What one run forgot of a skill that no rollout is about, beside what of its update might have foretold it",
    (
        Column("run", "the run"),
        Column(
            "method", "its method; of an update computed from another run that run's, but `random directions` for those"
        ),
        Column("kind", "`trained`, `given`, `untrained`, `derived` or `snapshot`"),
        Column("benchmark", "benchmark of the other skill"),
        Column("decoding", "how it was answered: the more precise of the decodings"),
        Column("accuracy", "share solved"),
        Column("accuracy_change", "that less the base's, on the same problems"),
        Column("accuracy_low", "lower end of the 95 % interval over problems"),
        Column("accuracy_high", "upper end of that interval"),
        Column("cross_entropy", "of text of the other skill", "nats per token"),
        Column("cross_entropy_change", "that less the base's", "nats per token"),
        Column("cross_entropy_low", "lower end of the 95 % interval over texts", "nats per token"),
        Column("cross_entropy_high", "upper end of that interval", "nats per token"),
        Column("kl_base_run", "KL(base || run) on the base's answers to the trained skill", "nats per token"),
        Column("kl_run_base", "KL(run || base) on the run's own answers to it", "nats per token"),
        Column("norm", "Frobenius norm of the update"),
        Column("base_cosine_output", "see `base_relations.csv`: metric `base_cosine`, side `output`"),
        Column("base_cosine_input", "the same on the side `input`"),
        Column("base_angle", "see `base_relations.csv`: metric `base_angle`", "degrees"),
        Column("spectral_shift", "see `base_relations.csv`"),
        Column(
            "cka_shift", "1 less the debiased CKA with the base in the last layer, where hidden states are compared"
        ),
    ),
    _asked,
    None,
)
LAW = Table(
    "forgetting_law",
    "How well one property of an update foretells what it forgets: a straight line, and its rank correlation",
    (
        Column("outcome", "`accuracy_change` or `cross_entropy_change`"),
        Column("runs_taken", "`runs with all predictors`, where predictors can be compared, or `every run with it`"),
        Column("predictor", "column of `forgetting.csv`"),
        Column("runs", "runs taken"),
        Column("methods", "methods that they are of"),
        Column("slope", "of the line, in the outcome per unit of the predictor"),
        Column("r2", "share of the variance that the line explains, over the runs that it was fitted to"),
        Column(
            "r2_unseen",
            "R squared on methods left out: 1 less the squared error of lines fitted without a method over that of means"
            " without it; below 0 the mean foretells better",
        ),
        Column("r2_least", "the lowest `r2_unseen` when one method is not in the data at all"),
        Column("rests_on", "that method"),
        Column("spearman", "rank correlation"),
        Column("note", "why it is undefined"),
    ),
    _asked,
    None,
)
STAGE = Stage(
    block="forgetting",
    tables=(FORGETTING, LAW),
    figures=_figures,
    section="forgetting.section",
    statements="forgetting.statements",
    charts="forgetting.charts",
)
