from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    from pathlib import Path

    from lossgeometry.findings.tabulation import gather, read_tables, write_findings

    tables = read_tables({name: Path(path) for name, path in snakemake.input.items()})
    found = gather(tables, **snakemake.params.cfg)
    write_findings(found, Path(snakemake.output.sentences), Path(snakemake.output.table))
