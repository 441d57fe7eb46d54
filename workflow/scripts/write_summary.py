from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    from pathlib import Path

    from lossgeometry.report.summary import write_summary

    write_summary(
        cfg=snakemake.params.cfg["config"],
        student_name=snakemake.params.cfg["student"],
        tables={name: Path(path) for name, path in snakemake.input.items()},
        benchmarks=Path(snakemake.output[0]).parent / "benchmarks",
        output=Path(snakemake.output[0]),
    )
