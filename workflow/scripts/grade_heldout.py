from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    from pathlib import Path

    from lossgeometry.grading.graders import DEFAULT
    from lossgeometry.rollouts.bought import Bought
    from lossgeometry.rollouts.pretending import pretend_solutions
    from lossgeometry.rollouts.rewards import grade_heldout

    prompts, shard, output = map(Path, (snakemake.input.prompts, snakemake.input.shard, snakemake.output[0]))
    grade_heldout(
        prompts=prompts,
        shard=shard,
        workers=snakemake.threads,
        deadline_seconds=snakemake.params.cfg["deadline_seconds"],
        grader=snakemake.params.cfg.get("grader", DEFAULT),
        output=output,
        bought=Bought(snakemake.params.cfg.get("teacher", {})),
    )
    if snakemake.params.cfg.get("pretend"):
        pretend_solutions(output, prompts, shard)
