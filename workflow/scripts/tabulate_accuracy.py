from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    from pathlib import Path

    from lossgeometry.evaluation.accuracy import tabulate_accuracy
    from lossgeometry.experiment.runs import Run

    cfg = snakemake.params.cfg
    contamination = snakemake.input.get("contamination")
    tabulate_accuracy(
        runs=[Run(**run) for run in cfg["runs"]],
        benchmarks=cfg["benchmarks"],
        pairs=[(a, b) for a, b in cfg["pairs"]],
        margin=cfg["margin"],
        evaluation=Path(snakemake.input.answers[0]).parent.parent,
        contamination=Path(contamination) if contamination else None,
        outputs={name: Path(path) for name, path in snakemake.output.items()},
    )
