from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    from pathlib import Path

    from lossgeometry.base_relations.spectra import decompose_base

    decompose_base(Path(snakemake.input.student), snakemake.params.cfg["targets"], Path(snakemake.output[0]))
