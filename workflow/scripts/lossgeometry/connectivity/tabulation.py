"""Tables over all pairs or runs, gathered from the files of each."""

from collections.abc import Sequence
from pathlib import Path

from lossgeometry.connectivity.barriers import mean_and_error
from lossgeometry.connectivity.endpoints import read_endpoint
from lossgeometry.files.csv_rows import read_rows, write_rows


def tabulate_pairs(pairs: Sequence[tuple[str, str]], files: Sequence[str | Path], output: str | Path) -> None:
    """Write the rows of one CSV file per pair under the columns `run_a`, `run_b` and their own, in the order of the
    pairs."""
    found = [read_rows(file) for file in files]
    columns = [list(row) for rows in found for row in rows[:1]]
    write_rows(
        output,
        ["run_a", "run_b", *columns[0]],
        [[a, b, *row.values()] for (a, b), rows in zip(pairs, found, strict=True) for row in rows],
    )


def tabulate_shrinkage(runs: Sequence[str], files: Sequence[str | Path], output: str | Path) -> None:
    """Write the mean loss of every update at multiples of itself: `run`, `loss`, `multiple`, `value`, `se`."""
    rows = []
    for run, file in zip(runs, files, strict=True):
        for loss, end in read_endpoint(file).items():
            mean, error = mean_and_error(end.losses)
            rows += [(run, loss, *map(float, row)) for row in zip(end.multiples, mean, error, strict=True)]
    write_rows(output, ("run", "loss", "multiple", "value", "se"), rows)
