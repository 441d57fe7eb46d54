from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    from lossgeometry.audit.tables import tabulate
    from lossgeometry.files.csv_rows import write_frame

    cfg = snakemake.params.cfg
    files = dict(zip(cfg["points"], snakemake.input, strict=True))
    for path, frame in zip(snakemake.output, tabulate(files, cfg["shares"], cfg["drawn"]), strict=True):
        write_frame(path, frame)
