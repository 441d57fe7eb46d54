from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    from lossgeometry.behaviour.tabulation import Distance, Row, tabulate_pairs, tabulate_runs
    from lossgeometry.files.csv_rows import write_rows
    from lossgeometry.files.rows import files_of, unpacked

    cfg, inputs = snakemake.params.cfg, snakemake.input
    write_rows(snakemake.output.runs, Row._fields, tabulate_runs(cfg["runs"], inputs.runs))
    if snakemake.output.pairs:  # an empty list where no pair is compared
        with unpacked(inputs.rows) as folder:
            found = tabulate_pairs(cfg["pairs"], files_of(folder, cfg["pairs"], "behaviour.parquet"))
        write_rows(snakemake.output.pairs, Distance._fields, found)
