from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake, with_model=True):
    from functools import cache
    from pathlib import Path

    from lossgeometry.files.rows import make_row
    from lossgeometry.provenance import digest_of_files
    from lossgeometry.settings.tasks import PathAccuracy

    inputs, params, run = snakemake.input, snakemake.params, snakemake.wildcards.run
    told = {name: value for name, value in params.items() if name != "others"}
    task = PathAccuracy.from_told(params.cfg)
    digests = cache(lambda *paths: digest_of_files(paths))

    def made_of(a, b):
        files = [(inputs.student_manifest, inputs.problems), inputs[a], inputs[b]]
        return [told, *(digests(*paths) for paths in files)]

    @cache
    def engine():
        from lossgeometry.connectivity.accuracy import base_engine

        return base_engine(inputs.student, task)

    def make(a, b, folder):
        from lossgeometry.connectivity.accuracy import path_accuracies
        from lossgeometry.connectivity.paths import CURVE_COLUMNS
        from lossgeometry.files.csv_rows import write_rows
        from lossgeometry.updates.peft import Adapter

        first, second = (Adapter(Path(inputs[end][0]).parent) for end in (a, b))
        rows = path_accuracies(engine(), first, second, inputs.problems, task)
        write_rows(folder / "path_accuracy.csv", CURVE_COLUMNS, rows)

    pairs = [(other, run) for other in params.others]
    make_row(snakemake.output[0], pairs, ("path_accuracy.csv",), made_of, make)
