from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    from pathlib import Path

    from lossgeometry.updates.loading import load
    from lossgeometry.updates.reduction import write_delta

    folder = Path(snakemake.input.weights[0]).parent
    update = load(folder, snakemake.input.get("base") or None, **snakemake.params.cfg)
    write_delta(update, snakemake.output[0])
    for tensor, reason in update.skipped.items():
        print(f"left out: {tensor}: {reason}")
