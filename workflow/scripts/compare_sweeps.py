from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    from lossgeometry.geometry.grams import run_grams
    from lossgeometry.geometry.sweeps import CeilingRow, RateRow, RunLabel, ShareRow, compare_sweeps
    from lossgeometry.geometry.tabulation import frame_of, write_csv
    from lossgeometry.updates.stored import Delta

    labels = [RunLabel(**entry) for entry in snakemake.params.cfg["runs"]]
    sweeps = compare_sweeps(
        run_grams([Delta(path) for path in snakemake.input], [label.run for label in labels]), labels
    )
    write_csv(snakemake.output.seeds, frame_of(sweeps.ceilings, CeilingRow))
    write_csv(snakemake.output.decomposition, frame_of(sweeps.shares, ShareRow))
    write_csv(snakemake.output.rates, frame_of(sweeps.rates, RateRow))
