from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    from pathlib import Path

    from lossgeometry.base_relations.overlaps import Overlap, overlaps
    from lossgeometry.files.csv_rows import write_rows
    from lossgeometry.files.safetensors import TensorFolder
    from lossgeometry.updates.stored import Delta

    deltas = {Path(path).stem: Delta(path) for path in snakemake.input.deltas}
    pairs = [(a, b) for a, b in snakemake.params.cfg["pairs"]]
    rows = overlaps(deltas, TensorFolder(snakemake.input.student), pairs)
    write_rows(snakemake.output[0], Overlap._fields, rows)
