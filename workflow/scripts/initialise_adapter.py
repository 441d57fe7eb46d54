from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake, with_model=True):
    from pathlib import Path

    from lossgeometry.settings.training import Lora
    from lossgeometry.training.initialisation import initialise

    initialise(
        student=Path(snakemake.input.student),
        lora=Lora.from_told(snakemake.params.cfg),
        seed=int(snakemake.wildcards.seed),
        output=Path(snakemake.output[0]).parent,
    )
