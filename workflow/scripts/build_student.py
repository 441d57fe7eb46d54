from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    from pathlib import Path

    from lossgeometry.settings.models import TinyModel
    from lossgeometry.students.pretraining import pretrain

    pretrain(TinyModel.from_told(snakemake.params.cfg), Path(snakemake.output[0]))
