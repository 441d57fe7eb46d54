from typing import TYPE_CHECKING

from lossgeometry.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    from pathlib import Path

    from lossgeometry.settings.models import TinyModel
    from lossgeometry.tiny.pretraining import pretrain

    pretrain(TinyModel(**snakemake.params.cfg), Path(snakemake.output[0]))
