"""One pair: its path through function space, from the shared ends and the points between them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from lossgeometry.connectivity.endpoints import (
    ALONG_PATH,
    PointLosses,
    check_same_sequences,
    read_losses,
    write_losses,
)
from lossgeometry.connectivity.measurement import Base
from lossgeometry.connectivity.paths import CURVE_COLUMNS, curve_rows, lengths_of, whole_path
from lossgeometry.files.csv_rows import write_rows
from lossgeometry.updates.peft import Adapter


def interpolate(
    base: Base,
    adapters: tuple[Adapter, Adapter],
    endpoints: Mapping[str, str | Path],
    points: Sequence[float],
    curve: str | Path,
    losses: str | Path,
) -> None:
    """Measure the points of a path between its ends, and write its curves and its losses by sequence.

    Parameters
    ----------
    base
        The base model, and what is measured of it.
    adapters
        The updates at t = 0 and t = 1.
    endpoints
        The files of `a` and `b` that `endpoints.write_losses` wrote.
    points
        The values of t, from 0 to 1.
    curve, losses
        The CSV files to write: `paths.CURVE_COLUMNS`, and what `endpoints.write_losses` writes, without the ends.
    """
    a, b = adapters
    ends = {name: read_losses(path) for name, path in endpoints.items()}
    lengths = lengths_of(a, b)
    inner = [t for t in points if t not in (0.0, 1.0)]
    curves, along = [], {}
    for loss, (sequences, measured) in base.measure_path(a, b, inner).items():
        of_loss = {name: end[loss] for name, end in ends.items()}
        check_same_sequences(loss, sequences, {endpoints[name]: end for name, end in of_loss.items()})
        along[loss] = PointLosses(sequences, np.array(inner), measured)
        whole = whole_path(points, along[loss], of_loss["a"], of_loss["b"])
        curves += curve_rows(loss, np.array(points), whole, lengths)
    write_rows(curve, CURVE_COLUMNS, curves)
    write_losses(losses, along, ALONG_PATH)
