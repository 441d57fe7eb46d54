from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    from lossgeometry.files.rows import files_of, unpacked
    from lossgeometry.representations.tabulation import tabulate_similarities

    cfg = snakemake.params.cfg
    pairs = [(a, b) for a, b in cfg["pairs"]]
    with unpacked(snakemake.input) as folder:
        files = files_of(folder, pairs, "cka.csv")
        tabulate_similarities(pairs, cfg["runs"], cfg["random"], files, snakemake.output[0])
