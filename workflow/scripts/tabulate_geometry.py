from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    import pyarrow as pa

    from lossgeometry.files.parquet import write_parquet
    from lossgeometry.files.rows import files_of, unpacked
    from lossgeometry.geometry.tabulation import gather_maps, gather_pairs, write_csv

    cfg = snakemake.params.cfg
    pairs = [(pair["a"], pair["b"]) for pair in cfg["pairs"]]
    with unpacked(snakemake.input) as folder:
        tables = gather_pairs(cfg["pairs"], cfg["runs"], files_of(folder, pairs, "geometry.parquet"))
        grassmann = gather_maps(cfg["pairs"], files_of(folder, pairs, "grassmann.parquet"))
    write_csv(snakemake.output.geometry, tables["geometry"])
    write_csv(snakemake.output.layers, tables["layers"])
    write_csv(snakemake.output.grassmann, grassmann)
    write_parquet(snakemake.output.modules, pa.Table.from_pandas(tables["modules"], preserve_index=False))
