from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    from pathlib import Path

    from lossgeometry.settings.models import Model
    from lossgeometry.students.files import write_manifest
    from lossgeometry.students.unpacking import provide_unpacked

    folder = Path(snakemake.output.folder)
    provide_unpacked(Model.from_told(snakemake.params.cfg), folder)
    write_manifest(folder, Path(snakemake.output.manifest))
