"""One pair: its path through function space, from the shared ends and the points between them."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from lossgeometry.connectivity.endpoints import check_same_sequences, read_endpoint
from lossgeometry.connectivity.measurement import measure_path
from lossgeometry.connectivity.paths import (
    BARRIER_COLUMNS,
    CURVE_COLUMNS,
    barrier_row,
    curve_rows,
    lengths_of,
    whole_grid,
)
from lossgeometry.files.csv_rows import write_rows
from lossgeometry.settings.tasks import PathLosses
from lossgeometry.updates.peft import Adapter


def interpolate(
    student: str | Path,
    adapters: tuple[Adapter, Adapter],
    endpoints: Mapping[str, str | Path],
    sources: Mapping[str, str | Path],
    task: PathLosses,
    curve: str | Path,
    barriers: str | Path,
) -> None:
    """Measure the inner points of a path, and write its curves and its barriers.

    Parameters
    ----------
    student
        Folder of the base model.
    adapters
        The updates at t = 0 and t = 1.
    endpoints
        The files of `base`, `a` and `b` that `endpoints.write_endpoint` wrote.
    sources
        The file of each loss, as for `measurement.measure_losses`.
    task
        The points, and what is measured there.
    curve, barriers
        The CSV files to write, with `paths.CURVE_COLUMNS` and `paths.BARRIER_COLUMNS`.
    """
    a, b = adapters
    ends = {name: read_endpoint(path) for name, path in endpoints.items()}
    lengths = lengths_of(a, b)
    points = np.array(task.points)
    inner = [t for t in task.points if t not in (0.0, 1.0)]
    curves, rows = [], []
    for loss, (sequences, losses) in measure_path(student, a, b, inner, sources, task).items():
        of_loss = {name: end[loss] for name, end in ends.items()}
        check_same_sequences(loss, sequences, {endpoints[name]: end for name, end in of_loss.items()})
        whole = whole_grid(task.points, inner, losses, of_loss["a"], of_loss["b"])
        curves += curve_rows(loss, points, whole, lengths)
        rows.append(barrier_row(loss, points, whole, lengths, of_loss["a"], of_loss["b"], of_loss["base"]))
    write_rows(curve, CURVE_COLUMNS, curves)
    write_rows(barriers, BARRIER_COLUMNS, rows)
