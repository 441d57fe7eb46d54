from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake, with_model=True):
    from functools import cache
    from pathlib import Path

    from lossgeometry.files.rows import make_row
    from lossgeometry.provenance import digest_of_files

    inputs, params, run = snakemake.input, snakemake.params, snakemake.wildcards.run
    told = {name: value for name, value in params.items() if name != "others"}
    ends = dict(zip([*params.others, run], inputs.endpoints, strict=True))
    sources = {loss: inputs[loss] for loss in params.cfg["losses"]}
    digests = cache(lambda *paths: digest_of_files(paths))

    def made_of(a, b):
        files = [(inputs.student_manifest, *sources.values()), *((*inputs[end], ends[end]) for end in (a, b))]
        return [told, *(digests(*paths) for paths in files)]

    @cache
    def base():
        from lossgeometry.connectivity.measurement import Base
        from lossgeometry.settings.tasks import PathLosses

        return Base(inputs.student, sources, PathLosses.from_told(params.cfg))

    def make(a, b, folder):
        from lossgeometry.connectivity.pair import interpolate
        from lossgeometry.updates.peft import Adapter

        interpolate(
            base=base(),
            adapters=(Adapter(Path(inputs[a][0]).parent), Adapter(Path(inputs[b][0]).parent)),
            endpoints={"a": ends[a], "b": ends[b]},
            points=params.cfg["points"],
            curve=folder / "connectivity.csv",
            losses=folder / "path_losses.csv",
        )

    names = ("connectivity.csv", "path_losses.csv")
    make_row(snakemake.output[0], [(other, run) for other in params.others], names, made_of, make)
