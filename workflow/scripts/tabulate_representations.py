from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    from lossgeometry.connectivity.tabulation import tabulate_pairs
    from lossgeometry.files.rows import files_of, unpacked

    pairs = snakemake.params.cfg
    with unpacked(snakemake.input) as folder:
        tabulate_pairs(pairs, files_of(folder, pairs, "cka.csv"), snakemake.output[0])
