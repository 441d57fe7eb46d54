"""The table of the hidden states of all pairs, with what each similarity is read beside."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from lossgeometry.files.csv_rows import read_frame, write_frame
from lossgeometry.geometry.beside import RunEntry, pairs_beside, values_beside


def tabulate_similarities(
    pairs: Sequence[tuple[str, str]], runs: Mapping[str, RunEntry], files: Sequence[str | Path], output: str | Path
) -> None:
    """Write the rows of every pair's file, in the order of the pairs, with the columns `control` and `replicate`.

    Parameters
    ----------
    pairs
        The pairs of run ids.
    runs
        What tells every run apart.
    files
        cka.csv of every pair, in the same order.
    """
    read = {(a, b): read_frame(file, float_precision="round_trip") for (a, b), file in zip(pairs, files, strict=True)}
    values = {pair: rows.set_index(["layer", rows.estimator.rename("metric")]).value for pair, rows in read.items()}
    tables = []
    for pair, rows in read.items():
        control, replicate = values_beside(values[pair].index, pairs_beside(pair, list(read), runs), values)
        table = rows.assign(run_a=pair[0], run_b=pair[1], control=control, replicate=replicate)
        tables.append(table[["run_a", "run_b", *rows.columns[:-1], "control", "replicate", "note"]])
    write_frame(output, pd.concat(tables, ignore_index=True))
