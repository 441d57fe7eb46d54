from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    from pathlib import Path

    from lossgeometry.rollouts.writing import write_rollouts
    from lossgeometry.settings.tasks import WrittenRollouts

    shard, shards = snakemake.wildcards.get("scatteritem", "1-of-1").split("-of-")
    write_rollouts(
        task=WrittenRollouts.from_told(snakemake.params.cfg),
        student=Path(snakemake.input.student),
        prompts=Path(snakemake.input.prompts),
        shard=(int(shard) - 1, int(shards)),
        output=Path(snakemake.output[0]),
    )
