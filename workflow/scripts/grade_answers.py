from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    from pathlib import Path

    from lossgeometry.grading.graders import DEFAULT
    from lossgeometry.rollouts.rewards import grade_answers

    grade_answers(
        completions=Path(snakemake.input.completions),
        prompts=Path(snakemake.input.prompts),
        workers=snakemake.threads,
        deadline_seconds=snakemake.params.cfg["deadline_seconds"],
        grader=snakemake.params.cfg.get("grader", DEFAULT),
        output=Path(snakemake.output[0]),
    )
