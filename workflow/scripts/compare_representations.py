from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    from functools import cache

    from lossgeometry.experiment.runs import BASE
    from lossgeometry.files.csv_rows import write_rows
    from lossgeometry.files.rows import make_row
    from lossgeometry.provenance import digest_of_file
    from lossgeometry.representations.comparison import COLUMNS, compare, layers_of_block, open_states

    params, run = snakemake.params, snakemake.wildcards.run
    told = {name: value for name, value in params.items() if name != "others"}
    files = dict(zip([BASE, *params.others, run], snakemake.input, strict=True))
    digest = cache(digest_of_file)
    block, blocks = map(int, params.block.split("-of-"))
    name = "cka.csv" if blocks == 1 else f"cka/{params.block}.csv"

    def made_of(a, b):
        return [told, *(digest(files[states]) for states in (BASE, a, b))]

    def make(a, b, folder):
        base, first, second = (open_states(files[states]) for states in (BASE, a, b))
        drawn = (params.cfg["estimators"], params.cfg["bootstrap"], params.cfg["seed"])
        rows = compare(base, first, second, layers_of_block(base.layers, block, blocks), *drawn)
        write_rows(folder / name, COLUMNS, rows)

    make_row(snakemake.output[0], [(other, run) for other in params.others], (name,), made_of, make)
