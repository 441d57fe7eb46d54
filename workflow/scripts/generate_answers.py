from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake, with_model=True):
    from pathlib import Path

    from lossgeometry.evaluation.answering import answer
    from lossgeometry.settings.tasks import Answers

    answer(
        task=Answers.from_told(snakemake.params.cfg),
        speed=snakemake.params.speed,
        code=snakemake.params.code,
        student=Path(snakemake.input.student),
        adapter=Path(snakemake.input.adapter[0]).parent if snakemake.input.get("adapter") else None,
        prompts=[Path(path) for path in snakemake.input.prompts],
        outputs=[Path(path) for path in snakemake.output],
    )
