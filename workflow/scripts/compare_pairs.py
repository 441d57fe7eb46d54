from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    from functools import cache

    from lossgeometry.files.parquet import table_of, write_parquet
    from lossgeometry.files.rows import make_row
    from lossgeometry.geometry.pairs import MapRow, compare_pair
    from lossgeometry.geometry.scopes import Row
    from lossgeometry.provenance import digest_of_file
    from lossgeometry.updates.stored import Delta

    cfg, run = snakemake.params.cfg, snakemake.wildcards.run
    told = {name: value for name, value in snakemake.params.items() if name != "cfg"}
    files = dict(zip([*cfg, run], snakemake.input.deltas, strict=True))
    delta, digest = cache(Delta), cache(digest_of_file)

    def made_of(a, b):
        return [cfg[a], told, digest(files[a]), digest(files[b])]

    def make(a, b, folder):
        pair = compare_pair(Delta(files[a]), delta(files[b]), (a, b), **cfg[a])
        write_parquet(folder / "geometry.parquet", table_of(pair.rows, Row))
        write_parquet(folder / "grassmann.parquet", table_of(pair.maps, MapRow))

    names = ("geometry.parquet", "grassmann.parquet")
    make_row(snakemake.output[0], [(other, run) for other in cfg], names, made_of, make)
