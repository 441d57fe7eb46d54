"""Tables over all pairs or runs, gathered from the files of each."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from lossgeometry.connectivity.barriers import mean_and_error, mean_barrier, over_chord
from lossgeometry.connectivity.endpoints import ALONG_PATH, PointLosses, check_same_sequences, read_losses
from lossgeometry.connectivity.paths import shrinkage, shrinkage_control, whole_path
from lossgeometry.connectivity.verdicts import Height, draws_for, height, verdicts
from lossgeometry.experiment.runs import BASE
from lossgeometry.files.csv_rows import number, read_rows, write_rows

BARRIER_COLUMNS = (
    *("run_a", "run_b", "loss", "loss_a", "loss_b", "loss_base", "frankle", "frankle_se", "frankle_t"),
    *(field for field in Height._fields if field != "reason"),
    *("p_holm", "verdict", "reason"),
)


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


def tabulate_barriers(
    pairs: Sequence[tuple[str, str]],
    curves: Sequence[str | Path],
    losses: Sequence[str | Path],
    endpoints: Mapping[str, str | Path],
    smallest_barrier: float,
    output: str | Path,
) -> None:
    """Write the barriers of all pairs with their verdicts, `BARRIER_COLUMNS`, in the order of the pairs.

    Parameters
    ----------
    pairs
        The runs of every pair.
    curves, losses
        Their files, as `pair.interpolate` wrote them.
    endpoints
        The files of `endpoints.write_losses` by run, the base among them.
    smallest_barrier
        The height from which a barrier counts, as a share of the mean loss of the two ends.
    """
    ends = {run: read_losses(path) for run, path in endpoints.items()}
    rows: dict[str, list[tuple]] = {}
    for (a, b), curve, path in zip(pairs, curves, losses, strict=True):
        norms = {(row["loss"], float(row["t"])): number(row["norm"]) for row in read_rows(curve)}
        along = read_losses(path, ALONG_PATH)
        for loss in dict.fromkeys(name for name, _ in norms):
            points = np.array([t for name, t in norms if name == loss])
            first, second, base = (ends[run][loss] for run in (a, b, BASE))
            sequences = first.sequences
            inner = along.get(loss, PointLosses(sequences, np.array([]), np.empty((0, len(sequences)))))
            check_same_sequences(loss, sequences, {endpoints[b]: second, endpoints[BASE]: base, path: inner})
            path_norms = np.array([norms[loss, t] for t in points])
            row = _barrier(points, path_norms, inner, first, second, base, smallest_barrier, draws_for(len(pairs)))
            rows.setdefault(loss, []).append((a, b, loss, *row))
    judged = {
        (row[0], row[1], loss): (*row[:-1], *row[-1][:-1], *verdict)
        for loss, of_loss in rows.items()
        for row, verdict in zip(of_loss, verdicts([row[-1] for row in of_loss]), strict=True)
    }
    write_rows(output, BARRIER_COLUMNS, [judged[a, b, loss] for a, b in pairs for loss in rows])


def _barrier(
    points: np.ndarray,
    norms: np.ndarray,
    inner: PointLosses,
    a: PointLosses,
    b: PointLosses,
    base: PointLosses,
    smallest_barrier: float,
    draws: int,
) -> tuple:
    """Return the losses of both ends and of the base, Frankle's barrier, and the height, of one pair and loss."""
    whole = whole_path(points, inner, a, b)
    between = (points > 0) & (points < 1)
    shares = shrinkage(points, norms)[between]
    smallest = smallest_barrier * float(np.mean([a.at(1.0), b.at(1.0)]))
    found = height(
        points[between],
        over_chord(points, whole)[between],
        shrinkage_control(points[between], shares, a, b, base),
        smallest,
        draws,
    )
    ends = [float(end.mean()) for end in (a.at(1.0), b.at(1.0), base.at(0.0))]
    return (*ends, *mean_barrier(points, whole), found)


def tabulate_shrinkage(runs: Sequence[str], files: Sequence[str | Path], output: str | Path) -> None:
    """Write the mean loss of every update at multiples of itself: `run`, `loss`, `multiple`, `value`, `se`."""
    rows = []
    for run, file in zip(runs, files, strict=True):
        for loss, end in read_losses(file).items():
            mean, error = mean_and_error(end.losses)
            rows += [(run, loss, *map(float, row)) for row in zip(end.points, mean, error, strict=True)]
    write_rows(output, ("run", "loss", "multiple", "value", "se"), rows)
