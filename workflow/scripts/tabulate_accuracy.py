from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    from pathlib import Path

    from lossgeometry.evaluation.accuracy import tabulate_accuracy

    tabulate_accuracy(
        cfg=snakemake.params.cfg,
        evaluation=Path(snakemake.input[0]).parent.parent,
        accuracy=Path(snakemake.output.accuracy),
        mcnemar=Path(snakemake.output.mcnemar),
    )
