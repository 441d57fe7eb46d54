from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake, network=True):
    from pathlib import Path

    from lossgeometry.settings.models import Model
    from lossgeometry.students.fetched import provide_model

    provide_model(
        Model.from_told(snakemake.params.cfg), Path(snakemake.output[0]), [Path(path) for path in snakemake.input]
    )
