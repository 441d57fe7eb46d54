from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    from pathlib import Path

    from lossgeometry.edits.crossed import crossed
    from lossgeometry.edits.effects import Kept, effects, kept_of_parents
    from lossgeometry.files.csv_rows import write_frame, write_rows

    cfg, inputs = snakemake.params.cfg, snakemake.input
    kept = kept_of_parents(
        edits=cfg["edits"],
        deltas={Path(path).stem: Path(path) for path in inputs.deltas},
        records={Path(path).parent.name: Path(path) for path in inputs.records},
        behaviour=Path(inputs.behaviour) if inputs.get("behaviour") else None,
    )
    write_rows(snakemake.output.kept, Kept._fields, kept)
    if snakemake.output.effects:  # an empty list where nothing is answered
        asked = (cfg["edits"], cfg["benchmarks"], Path(inputs.answers[0]).parent.parent, cfg["margin"])
        write_frame(snakemake.output.effects, effects(*asked))
        if snakemake.output.crossed:  # likewise where nothing is scaled to a norm
            write_frame(snakemake.output.crossed, crossed(*asked))
