from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    from pathlib import Path

    from lossgeometry.connectivity.accuracy import path_accuracies
    from lossgeometry.connectivity.paths import CURVE_COLUMNS
    from lossgeometry.files.csv_rows import write_rows
    from lossgeometry.settings.tasks import PathAccuracy
    from lossgeometry.updates.peft import Adapter

    inputs = snakemake.input
    a, b = (Adapter(Path(files[0]).parent) for files in (inputs.adapter_a, inputs.adapter_b))
    rows = path_accuracies(inputs.student, a, b, inputs.problems, PathAccuracy.from_told(snakemake.params.cfg))
    write_rows(snakemake.output[0], CURVE_COLUMNS, rows)
