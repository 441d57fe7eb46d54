from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    from pathlib import Path

    from lossgeometry.behaviour.measurement import measure_pair, write_tokens
    from lossgeometry.settings.tasks import Divergences
    from lossgeometry.updates.peft import Adapter

    inputs = snakemake.input
    tokens = measure_pair(
        student=inputs.student,
        a=Adapter(Path(inputs.adapter_a[0]).parent),
        b=Adapter(Path(inputs.adapter_b[0]).parent),
        texts={"base": inputs.base},
        prompts=inputs.prompts,
        task=Divergences.from_told(snakemake.params.cfg),
    )
    write_tokens(snakemake.output[0], tokens)
