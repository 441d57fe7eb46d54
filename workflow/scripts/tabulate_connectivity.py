from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    from lossgeometry.connectivity.tabulation import tabulate_barriers, tabulate_pairs, tabulate_shrinkage
    from lossgeometry.files.rows import files_of, unpacked

    cfg, inputs = snakemake.params.cfg, snakemake.input
    pairs = cfg["pairs"]
    with unpacked([*inputs.paths, *inputs.accuracies]) as folder:
        curves, losses = (files_of(folder, pairs, f"{name}.csv") for name in ("connectivity", "path_losses"))
        # Accuracies along a path, where they are asked for, are further rows of its curves.
        accuracies = files_of(folder, pairs, "path_accuracy.csv") if inputs.accuracies else []
        tabulate_pairs(pairs * (2 if accuracies else 1), curves + accuracies, snakemake.output.curves)
        tabulate_barriers(
            pairs,
            curves,
            losses,
            dict(zip(cfg["runs"], inputs.endpoints, strict=True)),
            cfg["smallest_barrier"],
            snakemake.output.barriers,
        )
    tabulate_shrinkage(cfg["runs"], inputs.endpoints, snakemake.output.shrinkage)
