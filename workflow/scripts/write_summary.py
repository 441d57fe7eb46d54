from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    from pathlib import Path

    import yaml

    from lossgeometry.report.summary import write_summary
    from lossgeometry.resources import PAPER
    from lossgeometry.settings.tasks import Summary

    cfg = snakemake.params.cfg
    run = Summary.from_told(cfg["run"])
    tables = {name: Path(path) for name, path in snakemake.input.items() if name != "findings"}
    paper = yaml.safe_load(PAPER.read_text(encoding="utf-8"))
    write_summary(
        run=run,
        facts={"student": run.student, "paper_student": paper["student"]},
        sections=cfg["sections"],
        findings=Path(snakemake.input.findings),
        tables=tables,
        results=Path(snakemake.output[0]).parent if snakemake.params.times else None,
        output=Path(snakemake.output[0]),
    )
