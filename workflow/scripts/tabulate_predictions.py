from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    from lossgeometry.audit.predictions import agreement, compositions, predictions
    from lossgeometry.files.csv_rows import read_frame, write_frame
    from lossgeometry.provenance import digest_of_file

    tables = {name: read_frame(snakemake.input[name]) for name in ("audit", "noise", "geometry")}
    pairs = snakemake.params.cfg["pairs"]
    predicted = predictions(**tables, **snakemake.params.cfg, registered=digest_of_file(snakemake.input.audit))
    write_frame(snakemake.output.predictions, predicted)
    write_frame(snakemake.output.agreement, agreement(predicted))
    if "composition" in snakemake.output.keys():
        regime = read_frame(snakemake.input.regime)
        write_frame(snakemake.output.composition, compositions(predicted, regime, pairs))
