"""What sets seeds and learning rates beside the losses, from the tables of other stages."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lossgeometry.stage import RUN_PAIR, Column, Figure, Stage, Table

if TYPE_CHECKING:
    from lossgeometry.experiment.config import Config


def _asked(config: "Config") -> bool:
    labels = [run.label for run in config.trained]
    return len(set(labels)) < len(labels) and bool(config.pairs)


SENSITIVITY = Table(
    "sensitivity",
    "One pair of runs in which one thing varies, or the loss with its learning rate",
    (
        Column(
            "varies",
            "`order`, `initialisation`, `seed`, `learning rate`, `hyper-parameter`, `control`, `loss` or `loss and learning rate`",
        ),
        *RUN_PAIR,
        Column("cosine", "cosine of the two updates, whole model"),
        Column("cosine_chance", "its mean for unrelated updates"),
        Column("cosine_chance_sd", "its standard deviation for unrelated updates"),
        Column("norm_a", "Frobenius norm of the first update"),
        Column("norm_b", "Frobenius norm of the second update"),
        Column("norm_ratio", "norm_b / norm_a"),
        Column("effective_rank_a", "effective rank of the first update"),
        Column("effective_rank_b", "effective rank of the second update"),
        Column("cosine_to_sft_a", "cosine of the first run with the SFT run of its seed"),
        Column("cosine_to_sft_b", "cosine of the second run with the SFT run of its seed"),
        Column("barrier", "barrier between the two under the first loss", "nats per token"),
        Column("barrier_low", "lower end of its 95 % interval", "nats per token"),
        Column("barrier_high", "upper end of that interval", "nats per token"),
        Column("barrier_verdict", "`barrier`, `no barrier` or `cannot tell`, as in `tables/barriers.csv`"),
        Column("benchmark", "benchmark and decoding of the accuracies"),
        Column("accuracy_a", "accuracy of the first run", "share"),
        Column("accuracy_b", "accuracy of the second run", "share"),
    ),
    _asked,
    None,
)


def _figures(config: "Config") -> Iterator[Figure]:
    if config.pairs and len({run.seed for run in config.trained}) > 1:
        yield Figure("decomposition", "decomposition", "Weights", "decomposition", "share of the squared length")


STAGE = Stage(
    block="",
    tables=(SENSITIVITY,),
    section="report.sensitivity_section",
    statements="report.sensitivity_statements",
    figures=_figures,
    charts="report.charts",
)
