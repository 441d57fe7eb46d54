from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake, with_model=True):
    from pathlib import Path

    from lossgeometry.settings.models import TinyModel
    from lossgeometry.students.files import write_manifest
    from lossgeometry.students.pretraining import pretrain

    folder = Path(snakemake.output.folder)
    pretrain(TinyModel.from_told(snakemake.params.cfg), folder)
    write_manifest(folder, Path(snakemake.output.manifest))
