from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake, with_model=True):
    from pathlib import Path

    from lossgeometry.representations.collection import collect
    from lossgeometry.settings.tasks import HiddenStates
    from lossgeometry.updates.peft import Adapter

    inputs = snakemake.input
    collect(
        student=inputs.student,
        adapter=Adapter(Path(inputs.adapter[0]).parent) if inputs.get("adapter") else None,
        solutions=inputs.solutions,
        problems=inputs.get("problems") or None,
        task=HiddenStates.from_told(snakemake.params.cfg),
        output=Path(snakemake.output[0]),
    )
