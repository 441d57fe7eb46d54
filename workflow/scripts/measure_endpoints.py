from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake, with_model=True):
    from pathlib import Path

    from lossgeometry.connectivity.endpoints import write_losses
    from lossgeometry.connectivity.measurement import measure_endpoint
    from lossgeometry.settings.tasks import EndPointLosses
    from lossgeometry.updates.peft import Adapter

    inputs = snakemake.input
    losses = measure_endpoint(
        student=inputs.student,
        adapter=Adapter(Path(inputs.adapter[0]).parent) if inputs.get("adapter") else None,
        sources={loss: inputs[loss] for loss in snakemake.params.cfg["losses"]},
        task=EndPointLosses.from_told(snakemake.params.cfg),
    )
    write_losses(snakemake.output[0], losses)
