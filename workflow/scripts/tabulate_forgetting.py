from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    from pathlib import Path

    from lossgeometry.files.csv_rows import write_rows
    from lossgeometry.forgetting.law import Law
    from lossgeometry.forgetting.tabulation import Forgotten, foretold, forgotten

    cfg, inputs = snakemake.params.cfg, snakemake.input
    rows = forgotten(
        runs=cfg["runs"],
        benchmark=cfg["benchmark"],
        accuracy=Path(inputs.accuracy),
        behaviour=Path(inputs.behaviour),
        base=Path(inputs.base),
        deltas={Path(path).stem: Path(path) for path in inputs.deltas},
        relations=Path(inputs.relations) if inputs.get("relations") else None,
        states={Path(path).stem: Path(path) for path in inputs.get("states", [])},
    )
    write_rows(snakemake.output.runs, Forgotten._fields, rows)
    write_rows(snakemake.output.law, Law._fields, foretold(rows))
