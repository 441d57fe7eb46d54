from typing import TYPE_CHECKING

from lossgeometry.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    from pathlib import Path

    from lossgeometry.geometry.adapters import Adapter
    from lossgeometry.geometry.deltas import reduce_adapter

    reduce_adapter(Adapter(Path(snakemake.input.weights).parent), snakemake.output[0])
