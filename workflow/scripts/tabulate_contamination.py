from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    from pathlib import Path

    from lossgeometry.evaluation.contamination import tabulate_contamination

    tabulate_contamination(
        train=Path(snakemake.input.train),
        benchmarks={Path(path).stem: Path(path) for path in snakemake.input.benchmarks},
        output=Path(snakemake.output[0]),
    )
