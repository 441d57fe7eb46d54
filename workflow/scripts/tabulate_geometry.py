from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    import pyarrow as pa

    from lossgeometry.files.parquet import write_parquet
    from lossgeometry.geometry.tabulation import gather_maps, gather_pairs, write_csv

    cfg = snakemake.params.cfg
    tables = gather_pairs(cfg["pairs"], cfg["runs"], snakemake.input.geometry)
    write_csv(snakemake.output.geometry, tables["geometry"])
    write_csv(snakemake.output.layers, tables["layers"])
    write_csv(snakemake.output.grassmann, gather_maps(cfg["pairs"], snakemake.input.grassmann))
    write_parquet(snakemake.output.modules, pa.Table.from_pandas(tables["modules"], preserve_index=False))
