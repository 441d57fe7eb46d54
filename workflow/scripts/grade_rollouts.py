from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    from pathlib import Path

    from lossgeometry.grading.graders import DEFAULT
    from lossgeometry.rollouts.bought import Bought
    from lossgeometry.rollouts.pretending import pretend_grades
    from lossgeometry.rollouts.rewards import grade_rollouts

    prompts, shards = ([Path(path) for path in snakemake.input.get(name)] for name in ("prompts", "shards"))
    rollouts, heldout = Path(snakemake.output.rollouts), Path(snakemake.output.heldout)
    bought = Bought(snakemake.params.cfg.get("teacher", {}))
    grade_rollouts(
        prompts=prompts,
        shards=shards,
        workers=snakemake.threads,
        deadline_seconds=snakemake.params.cfg["deadline_seconds"],
        grader=snakemake.params.cfg.get("grader", DEFAULT),
        rollouts=rollouts,
        heldout=heldout,
        summary=Path(snakemake.output.summary),
        bought=bought,
    )
    if bought.told:
        bought.write(Path(snakemake.output.teacher))
    if snakemake.params.cfg.get("pretend"):
        pretend_grades(rollouts, heldout, prompts[1], shards)
