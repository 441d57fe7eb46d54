from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    from lossgeometry.files.csv_rows import read_rows, write_rows
    from lossgeometry.files.rows import make_row, pair_id, unpacked
    from lossgeometry.provenance import digest_of_files
    from lossgeometry.representations.comparison import COLUMNS

    params, run = snakemake.params, snakemake.wildcards.run
    told = {name: value for name, value in params.items() if name != "others"}
    with unpacked(snakemake.input) as blocks:

        def files(a, b):
            return sorted((blocks / pair_id(a, b) / "cka").iterdir())

        def join(a, b, folder):
            rows = [row for path in files(a, b) for row in read_rows(path)]
            rows.sort(key=lambda row: int(row["layer"]))
            write_rows(folder / "cka.csv", COLUMNS, [list(row.values()) for row in rows])

        def made_of(a, b):
            return [told, digest_of_files(files(a, b))]

        make_row(snakemake.output[0], [(other, run) for other in params.others], ("cka.csv",), made_of, join)
