from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    from pathlib import Path

    from lossgeometry.report.runs_table import tabulate_runs

    tabulate_runs(
        runs=snakemake.params.cfg,
        training=[Path(path) for path in snakemake.input.training],
        provenance=[Path(path) for path in snakemake.input.provenance],
        output=Path(snakemake.output[0]),
    )
