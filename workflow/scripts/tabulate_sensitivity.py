from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    from lossgeometry.files.csv_rows import read_frame
    from lossgeometry.geometry.tabulation import write_csv
    from lossgeometry.report.sensitivity import sensitivity_table

    tables = {name: read_frame(path) for name, path in snakemake.input.items()}
    write_csv(snakemake.output[0], sensitivity_table(**tables, **snakemake.params.cfg))
