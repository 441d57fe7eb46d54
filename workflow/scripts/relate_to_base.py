from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    from lossgeometry.base_relations.relations import relate_run
    from lossgeometry.base_relations.spectra import BaseSpectra
    from lossgeometry.files.parquet import table_of, write_parquet
    from lossgeometry.files.safetensors import TensorFolder
    from lossgeometry.geometry.scopes import Row
    from lossgeometry.updates.stored import Delta

    delta, spectra = Delta(snakemake.input.delta), BaseSpectra(snakemake.input.spectra)
    weights = TensorFolder(snakemake.input.student)
    rows = relate_run(delta, spectra, weights, snakemake.wildcards.run, snakemake.params.cfg["k"])
    write_parquet(snakemake.output[0], table_of(rows, Row))
