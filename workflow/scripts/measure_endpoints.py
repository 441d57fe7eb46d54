"""Measure the losses of one run, and of its update shrunk towards the base; shared by all pairs of the run."""

from typing import TYPE_CHECKING

from lossgeometry.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    from pathlib import Path

    from lossgeometry.connectivity.endpoints import write_endpoint
    from lossgeometry.connectivity.measurement import measure_endpoint
    from lossgeometry.geometry.adapters import Adapter

    adapter = Adapter(Path(snakemake.input.adapter[0]).parent) if snakemake.input.adapter else None
    sources = {loss: snakemake.input.get(loss) for loss in snakemake.params.cfg["losses"]}
    losses = measure_endpoint(snakemake.input.student, adapter, sources, snakemake.params.cfg)
    write_endpoint(snakemake.output[0], losses)
