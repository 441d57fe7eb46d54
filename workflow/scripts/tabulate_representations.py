from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    from lossgeometry.representations.tabulation import tabulate_similarities

    cfg = snakemake.params.cfg
    tabulate_similarities(cfg["pairs"], cfg["runs"], snakemake.input, snakemake.output[0])
