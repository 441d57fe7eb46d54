from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    from pathlib import Path

    from lossgeometry.edits.derivation import derive
    from lossgeometry.settings.edits import Edit

    cfg = snakemake.params.cfg
    derive(
        edit=Edit(**cfg["edit"]),
        sources=dict(zip(cfg["names"], snakemake.input.weights, strict=True)),
        runs=dict(zip(cfg["names"], cfg["sources"], strict=True)),
        folder=Path(snakemake.output.weights).parent,
    )
