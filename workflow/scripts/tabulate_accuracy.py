from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    from pathlib import Path

    from lossgeometry.evaluation.accuracy import tabulate_accuracy

    contamination = snakemake.input.get("contamination")
    tabulate_accuracy(
        cfg=snakemake.params.cfg,
        evaluation=Path(snakemake.input.answers[0]).parent.parent,
        contamination=Path(contamination) if contamination else None,
        outputs={name: Path(path) for name, path in snakemake.output.items()},
    )
