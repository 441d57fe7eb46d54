from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake, network=True):
    from pathlib import Path

    from lossgeometry.updates.hub import fetch_adapter

    fetch_adapter(snakemake.params.cfg["source"], Path(snakemake.output.weights).parent)
