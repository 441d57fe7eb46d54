from typing import TYPE_CHECKING

from lossgeometry.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    from pathlib import Path

    from lossgeometry.rollouts.grading import grade_rollouts

    grade_rollouts(
        prompts=[Path(path) for path in snakemake.input.prompts],
        shards=[Path(path) for path in snakemake.input.shards],
        workers=snakemake.threads,
        deadline_seconds=snakemake.params.cfg["deadline_seconds"],
        rollouts=Path(snakemake.output.rollouts),
        heldout=Path(snakemake.output.heldout),
        summary=Path(snakemake.output.summary),
    )
