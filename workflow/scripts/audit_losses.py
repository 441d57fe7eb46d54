from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake, with_model=True):
    from pathlib import Path

    from lossgeometry.audit.measurement import audit
    from lossgeometry.settings.tasks import AuditedLosses

    audit(
        task=AuditedLosses.from_told(snakemake.params.cfg),
        student=Path(snakemake.input.student),
        point=Path(snakemake.input.adapter[0]).parent,
        prompts=Path(snakemake.input.prompts),
        rollouts=Path(snakemake.input.rollouts),
        output=Path(snakemake.output[0]),
        tokens=Path(snakemake.input.tokens),
    )
