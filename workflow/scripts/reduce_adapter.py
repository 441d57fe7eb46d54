from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    from pathlib import Path

    from lossgeometry.updates.peft import Adapter
    from lossgeometry.updates.stored import reduce_adapter

    reduce_adapter(Adapter(Path(snakemake.input.weights).parent), snakemake.output[0])
