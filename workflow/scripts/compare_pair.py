from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    from lossgeometry.files.parquet import table_of, write_parquet
    from lossgeometry.geometry.pairs import MapRow, compare_pair
    from lossgeometry.geometry.scopes import Row
    from lossgeometry.updates.stored import Delta

    names = (snakemake.wildcards.a, snakemake.wildcards.b)
    pair = compare_pair(Delta(snakemake.input.a), Delta(snakemake.input.b), names, **snakemake.params.cfg)
    write_parquet(snakemake.output.geometry, table_of(pair.rows, Row))
    write_parquet(snakemake.output.grassmann, table_of(pair.maps, MapRow))
