from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    from lossgeometry.connectivity.tabulation import tabulate_pairs, tabulate_shrinkage

    cfg = snakemake.params.cfg
    # Accuracies along a path, where they are asked for, are further rows of its curves.
    curves, accuracies = list(snakemake.input.curves), list(snakemake.input.accuracies)
    tabulate_pairs(cfg["pairs"] * (2 if accuracies else 1), curves + accuracies, snakemake.output.curves)
    tabulate_pairs(cfg["pairs"], snakemake.input.barriers, snakemake.output.barriers)
    tabulate_shrinkage(cfg["runs"], snakemake.input.endpoints, snakemake.output.shrinkage)
