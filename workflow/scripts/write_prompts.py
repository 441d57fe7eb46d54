from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    from pathlib import Path

    from lossgeometry.problems.problem_sets import write_prompts
    from lossgeometry.settings.tasks import ProblemSet

    write_prompts(ProblemSet.from_told(snakemake.params.cfg), Path(snakemake.output[0]))
