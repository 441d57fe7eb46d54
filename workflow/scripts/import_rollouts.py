from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    from pathlib import Path

    from lossgeometry.rollouts.importing import import_rollouts
    from lossgeometry.settings.tasks import ImportedRollouts

    import_rollouts(
        task=ImportedRollouts.from_told(snakemake.params.cfg),
        file=Path(snakemake.input.file),
        student=Path(snakemake.input.student),
        workers=snakemake.threads,
        train=Path(snakemake.output.train),
        heldout=Path(snakemake.output.heldout),
        completions=Path(snakemake.output.completions),
    )
