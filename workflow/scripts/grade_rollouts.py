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

    rollouts = Path(snakemake.output.rollouts)
    bought = Bought(snakemake.params.cfg.get("teacher", {}))
    grade_rollouts(
        prompts=Path(snakemake.input.prompts),
        shards=[Path(path) for path in snakemake.input.get("shards")],
        workers=snakemake.threads,
        deadline_seconds=snakemake.params.cfg["deadline_seconds"],
        grader=snakemake.params.cfg.get("grader", DEFAULT),
        rollouts=rollouts,
        summary=Path(snakemake.output.summary),
        bought=bought,
    )
    if bought.told:
        bought.write(Path(snakemake.output.teacher))
    if snakemake.params.cfg.get("pretend"):
        pretend_grades(rollouts)
