from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    from lossgeometry.connectivity.tabulation import tabulate_pairs

    tabulate_pairs(snakemake.params.cfg, snakemake.input, snakemake.output[0])
