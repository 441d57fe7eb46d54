from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake, network=True):
    from pathlib import Path

    from lossgeometry.problems.prompts import fetch_prompts
    from lossgeometry.settings.tasks import ProblemSet

    fetch_prompts(ProblemSet.from_told(snakemake.params.cfg), snakemake.threads, Path(snakemake.output[0]))
