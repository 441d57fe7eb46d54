from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    from pathlib import Path

    from lossgeometry.explorer.bundle import gather, write_bundle
    from lossgeometry.settings.tasks import Page

    given = snakemake.input
    page = Page.from_told(snakemake.params.cfg)
    bundle = gather(
        page,
        tables={name: Path(given[name]) for name in page.tables},
        training=[Path(path) for path in given.training],
        rollouts=Path(given.rollout_rows[0]) if given.rollout_rows else None,
        answers=[Path(path) for path in given.answers],
        prompts=[Path(path) for path in given.prompts],
        findings=Path(given.findings),
        config=Path(given.config),
        provenance=[Path(path) for path in given.provenance],
    )
    write_bundle(bundle, Path(snakemake.output[0]))
