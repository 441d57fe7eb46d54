from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    from pathlib import Path

    import yaml

    from lossgeometry.files.atomic import atomic_file

    with atomic_file(snakemake.output[0]) as path:
        path.write_text(yaml.safe_dump(snakemake.params.cfg, sort_keys=False, allow_unicode=True), encoding="utf-8")
    for table in snakemake.params.dropped:
        Path(table).unlink(missing_ok=True)
