from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake, network=True):
    from pathlib import Path

    from lossgeometry.settings.models import Model
    from lossgeometry.students.fetched import provide_model
    from lossgeometry.students.files import write_manifest

    folder = Path(snakemake.output.folder)
    student = snakemake.input.get("student")
    provide_model(Model.from_told(snakemake.params.cfg), folder, Path(student) if student else None)
    write_manifest(folder, Path(snakemake.output.manifest))
