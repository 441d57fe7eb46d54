from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    from lossgeometry.connectivity.tabulation import tabulate_barriers, tabulate_pairs, tabulate_shrinkage

    cfg = snakemake.params.cfg
    # Accuracies along a path, where they are asked for, are further rows of its curves.
    curves, accuracies = list(snakemake.input.curves), list(snakemake.input.accuracies)
    tabulate_pairs(cfg["pairs"] * (2 if accuracies else 1), curves + accuracies, snakemake.output.curves)
    tabulate_shrinkage(cfg["runs"], snakemake.input.endpoints, snakemake.output.shrinkage)
    tabulate_barriers(
        cfg["pairs"],
        curves,
        snakemake.input.losses,
        dict(zip(cfg["runs"], snakemake.input.endpoints, strict=True)),
        cfg["smallest_barrier"],
        snakemake.output.barriers,
    )
