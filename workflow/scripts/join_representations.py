from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    from lossgeometry.files.csv_rows import read_rows, write_rows
    from lossgeometry.representations.comparison import COLUMNS

    rows = [row for path in snakemake.input for row in read_rows(path)]
    rows.sort(key=lambda row: int(row["layer"]))
    write_rows(snakemake.output[0], COLUMNS, [list(row.values()) for row in rows])
