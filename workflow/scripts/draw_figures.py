from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    import json
    from pathlib import Path

    from lossgeometry.charts.figures import draw_figures

    bundle = json.loads(Path(snakemake.input[0]).read_text(encoding="utf-8"))
    draw_figures(bundle, [Path(path) for path in snakemake.output])
