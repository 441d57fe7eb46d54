"""The table of the hidden states of all pairs, with what each similarity is read beside.

How far the shifts of unrelated updates spread cannot be had from the states of one pair: all updates pass through the later layers
of one base, and lean to common tokens and features there. So it is measured, on random directions with a run's singular values.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from lossgeometry.files.csv_rows import read_frame, write_frame
from lossgeometry.geometry.beside import RunEntry, pairs_beside, values_beside

NO_SPREAD = "no spread of chance: nothing was compared with random directions; turn on evaluation.controls"
SHIFTS = ("shift_cosine", "relative_residual")


def tabulate_similarities(
    pairs: Sequence[tuple[str, str]],
    runs: Mapping[str, RunEntry],
    random: Collection[str],
    files: Sequence[str | Path],
    output: str | Path,
) -> None:
    """Write the rows of every pair's file, in the order of the pairs, with the columns `control` and `replicate`.

    Parameters
    ----------
    pairs
        The pairs of run ids.
    runs
        What tells every run apart.
    random
        The runs that are random directions.
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
    write_frame(output, _with_spread(pd.concat(tables, ignore_index=True), random))


def _with_spread(table: pd.DataFrame, random: Collection[str]) -> pd.DataFrame:
    """Return the table with the standard deviation of the shifts' chance levels.

    That of a cosine is the root mean square, by layer, of the cosines of all runs with random directions. The square of a
    residual is r0^2 - 2 c norm(D_a) norm(D_b) / norm(H_a)^2 with r0 its level and c the cosine; as the last factor is at most
    r0^2 / 2, its standard deviation is at most r0 / 2 times that of c.
    """
    drawn = table[(table.estimator == "shift_cosine") & (table.run_a.isin(random) | table.run_b.isin(random))]
    spread = table.layer.map(drawn.groupby("layer").value.agg(lambda values: np.sqrt(np.mean(values**2))))
    spread = spread.where(table.estimator == "shift_cosine", table.null_mean / 2 * spread)
    shifts = table.estimator.isin(SHIFTS) & table.value.notna()
    lacking = shifts & spread.isna() & table.note.isin(["", np.nan])
    return table.assign(null_sd=spread.where(shifts, table.null_sd), note=table.note.mask(lacking, NO_SPREAD))
