from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    from pathlib import Path

    from lossgeometry.updates.loading import load

    update = load(snakemake.input[0]).randomise(snakemake.params.cfg["seed"])
    update.to_peft(Path(snakemake.output.weights).parent)
