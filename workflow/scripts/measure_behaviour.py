from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake, with_model=True):
    from pathlib import Path

    from lossgeometry.behaviour.measurement import measure_run, write_tokens
    from lossgeometry.settings.tasks import Divergences
    from lossgeometry.updates.peft import Adapter

    inputs = snakemake.input
    tokens = measure_run(
        student=inputs.student,
        adapter=Adapter(Path(inputs.adapter[0]).parent) if inputs.get("adapter") else None,
        texts={text: inputs[text] for text in ("base", "own") if inputs.get(text)},
        prompts=inputs.prompts,
        task=Divergences.from_told(snakemake.params.cfg),
        other=inputs.get("other") or None,
    )
    write_tokens(snakemake.output[0], tokens)
