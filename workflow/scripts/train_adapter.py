from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake, with_model=True):
    from pathlib import Path

    from lossgeometry.settings.tasks import TrainedAdapter
    from lossgeometry.training.run import train

    output = Path(snakemake.output.adapter).parent
    train(
        task=TrainedAdapter.from_told(snakemake.params.cfg),
        speed=snakemake.params.speed,
        code=snakemake.params.code,
        student=Path(snakemake.input.student),
        initialisation=Path(snakemake.input.initialisation).parent,
        prompts=Path(snakemake.input.prompts),
        rollouts=Path(snakemake.input.rollouts) if snakemake.input.get("rollouts") else None,
        output=output,
        results=output.parent.parent,
        tokens=Path(snakemake.input.tokens) if snakemake.input.get("tokens") else None,
    )
