from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake, with_model=True):
    from pathlib import Path

    from lossgeometry.rollouts.sampling import sample_rollouts
    from lossgeometry.settings.tasks import SampledRollouts

    shard, shards = snakemake.wildcards.get("scatteritem", "1-of-1").split("-of-")
    sample_rollouts(
        task=SampledRollouts.from_told(snakemake.params.cfg),
        speed=snakemake.params.speed,
        code=snakemake.params.code,
        teacher=Path(snakemake.input.teacher),
        prompts=Path(snakemake.input.prompts),
        shard=(int(shard) - 1, int(shards)),
        output=Path(snakemake.output[0]),
    )
