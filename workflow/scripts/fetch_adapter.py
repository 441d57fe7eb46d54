from typing import TYPE_CHECKING

from lossgeometry.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake, network=True):
    from pathlib import Path

    from lossgeometry.geometry.hub import fetch_adapter

    fetch_adapter(snakemake.params.cfg["source"], Path(snakemake.output.weights).parent)
