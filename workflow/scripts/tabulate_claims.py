from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    from pathlib import Path

    from lossgeometry.claims.tabulation import tabulate_claims
    from lossgeometry.experiment.runs import Run
    from lossgeometry.resources import PAPER

    tabulate_claims(
        student=snakemake.params.cfg["student"],
        runs=[Run(**run) for run in snakemake.params.cfg["runs"]],
        tables={name: Path(path) for name, path in snakemake.input.items()},
        reference=PAPER,
        output=Path(snakemake.output[0]),
    )
