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
    digests = cache(lambda *paths: digest_of_files(paths))

    def made_of(a, b):
        files = [(inputs.student_manifest, inputs.base, inputs.prompts), inputs[a], inputs[b]]
        return [told, *(digests(*paths) for paths in files)]

    def make(a, b, folder):
        from lossgeometry.behaviour.measurement import measure_pair, write_tokens
        from lossgeometry.settings.tasks import Divergences
        from lossgeometry.updates.peft import Adapter

        tokens = measure_pair(
            student=inputs.student,
            a=Adapter(Path(inputs[a][0]).parent),
            b=Adapter(Path(inputs[b][0]).parent),
            texts={"base": inputs.base},
            prompts=inputs.prompts,
            task=Divergences.from_told(params.cfg),
        )
        write_tokens(folder / "behaviour.parquet", tokens)

    pairs = [(other, run) for other in params.others]
    make_row(snakemake.output[0], pairs, ("behaviour.parquet",), made_of, make)
