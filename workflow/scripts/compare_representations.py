from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    from lossgeometry.files.csv_rows import write_rows
    from lossgeometry.representations.comparison import COLUMNS, compare, layers_of_block, open_states

    base, a, b = (open_states(snakemake.input[name]) for name in ("base", "a", "b"))
    block, blocks = map(int, snakemake.params.block.split("-of-"))
    cfg = snakemake.params.cfg
    layers = layers_of_block(base.layers, block, blocks)
    write_rows(
        snakemake.output[0], COLUMNS, compare(base, a, b, layers, cfg["estimators"], cfg["bootstrap"], cfg["seed"])
    )
