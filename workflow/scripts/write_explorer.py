from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    import json
    from pathlib import Path

    from lossgeometry.explorer.page import write_page

    bundle = json.loads(Path(snakemake.input[0]).read_text(encoding="utf-8"))
    write_page(bundle, Path(snakemake.output[0]))
