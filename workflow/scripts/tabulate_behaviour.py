from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    from lossgeometry.behaviour.tabulation import Distance, Row, tabulate_pairs, tabulate_runs
    from lossgeometry.files.csv_rows import write_rows

    cfg, inputs = snakemake.params.cfg, snakemake.input
    write_rows(snakemake.output.runs, Row._fields, tabulate_runs(cfg["runs"], inputs.runs))
    if snakemake.output.pairs:  # an empty list where no pair is compared
        write_rows(snakemake.output.pairs, Distance._fields, tabulate_pairs(cfg["pairs"], inputs.pairs))
