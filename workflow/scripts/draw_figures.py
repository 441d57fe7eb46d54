from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    import json
    from pathlib import Path

    from lossgeometry.charts.figures import draw_figures
    from lossgeometry.stage import Figure

    bundle = json.loads(Path(snakemake.input[0]).read_text(encoding="utf-8"))
    figures = [Figure(**entry) for entry in snakemake.params.cfg]
    draw_figures(bundle, figures, Path(snakemake.output[0]).parent)
