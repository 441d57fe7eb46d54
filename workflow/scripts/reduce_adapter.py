from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    from pathlib import Path

    from lossgeometry.updates.loading import load
    from lossgeometry.updates.reduction import write_delta

    folder = Path(snakemake.input.weights[0]).parent
    write_delta(load(folder, snakemake.input.get("base"), **snakemake.params.cfg), snakemake.output[0])
