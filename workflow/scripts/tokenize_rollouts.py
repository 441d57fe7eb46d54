from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake, with_model=True):
    from pathlib import Path

    from lossgeometry.training.tokens import tokenize_rollouts

    tokenize_rollouts(
        student=Path(snakemake.input.student),
        prompts=Path(snakemake.input.prompts),
        rollouts=Path(snakemake.input.rollouts),
        suffix=snakemake.params.cfg["prompt_suffix"],
        output=Path(snakemake.output[0]),
    )
