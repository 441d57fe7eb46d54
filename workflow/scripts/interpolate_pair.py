from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    from pathlib import Path

    from lossgeometry.connectivity.pair import interpolate
    from lossgeometry.settings.tasks import PathLosses
    from lossgeometry.updates.peft import Adapter

    inputs = snakemake.input
    interpolate(
        student=inputs.student,
        adapters=(Adapter(Path(inputs.adapter_a[0]).parent), Adapter(Path(inputs.adapter_b[0]).parent)),
        endpoints={name: inputs[name] for name in ("a", "b")},
        sources={loss: inputs[loss] for loss in snakemake.params.cfg["losses"]},
        task=PathLosses.from_told(snakemake.params.cfg),
        curve=snakemake.output.curve,
        losses=snakemake.output.losses,
    )
