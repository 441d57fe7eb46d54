from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    import numpy as np

    from lossgeometry.geometry.grams import RunGrams, run_sums
    from lossgeometry.geometry.replicates import ComponentRow, ReplicateRow, components, replicate_rows
    from lossgeometry.geometry.sweeps import CeilingRow, RateRow, RunLabel, ShareRow, compare_sweeps
    from lossgeometry.geometry.tabulation import frame_of, write_csv
    from lossgeometry.updates.names import block_of
    from lossgeometry.updates.stored import Delta

    labels = [RunLabel(**entry) for entry in snakemake.params.cfg["runs"]]
    parts = run_sums([Delta(path) for path in snakemake.input], [label.run for label in labels], block_of)
    sweeps = compare_sweeps(RunGrams.of(np.sum(list(parts.values()), axis=0)), labels)
    write_csv(snakemake.output.replicates, frame_of(replicate_rows(parts, labels), ReplicateRow))
    write_csv(snakemake.output.components, frame_of(components(parts, labels), ComponentRow))
    write_csv(snakemake.output.seeds, frame_of(sweeps.ceilings, CeilingRow))
    write_csv(snakemake.output.decomposition, frame_of(sweeps.shares, ShareRow))
    write_csv(snakemake.output.rates, frame_of(sweeps.rates, RateRow))
