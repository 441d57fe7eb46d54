"""One pair: its path through function space, from the shared ends and the points between them."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from lossgeometry.connectivity.endpoints import (
    ALONG_PATH,
    PointLosses,
    check_same_sequences,
    read_losses,
    write_losses,
)
from lossgeometry.connectivity.measurement import measure_path
from lossgeometry.connectivity.paths import CURVE_COLUMNS, curve_rows, lengths_of, whole_path
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
    losses: str | Path,
) -> None:
    """Measure the points of a path between its ends, and write its curves and its losses by sequence.

    Parameters
    ----------
    student
        Folder of the base model.
    adapters
        The updates at t = 0 and t = 1.
    endpoints
        The files of `a` and `b` that `endpoints.write_losses` wrote.
    sources
        The file of each loss, as for `measurement.measure_losses`.
    task
        The points, and what is measured there.
    curve, losses
        The CSV files to write: `paths.CURVE_COLUMNS`, and what `endpoints.write_losses` writes, without the ends.
    """
    a, b = adapters
    ends = {name: read_losses(path) for name, path in endpoints.items()}
    lengths = lengths_of(a, b)
    points = np.array(task.points)
    inner = [t for t in task.points if t not in (0.0, 1.0)]
    curves, along = [], {}
    for loss, (sequences, measured) in measure_path(student, a, b, inner, sources, task).items():
        of_loss = {name: end[loss] for name, end in ends.items()}
        check_same_sequences(loss, sequences, {endpoints[name]: end for name, end in of_loss.items()})
        along[loss] = PointLosses(sequences, np.array(inner), measured)
        whole = whole_path(task.points, along[loss], of_loss["a"], of_loss["b"])
        curves += curve_rows(loss, points, whole, lengths)
    write_rows(curve, CURVE_COLUMNS, curves)
    write_losses(losses, along, ALONG_PATH)
