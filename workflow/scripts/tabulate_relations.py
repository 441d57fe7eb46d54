from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    from lossgeometry.geometry.tabulation import gather_relations, write_csv

    write_csv(snakemake.output[0], gather_relations(snakemake.params.cfg["runs"], snakemake.input))
