"""Losses by sequence on disk: those of one model, shared by every pair that it is in, and those along one path.

An update is also measured at multiples of itself on its way to the base. That is the control of a barrier: the middle
of a path between two unrelated updates is shorter than its ends, and a shorter update alone already has another loss.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lossgeometry.errors import InputError
from lossgeometry.files.csv_rows import number, read_rows, write_rows

MULTIPLE, ALONG_PATH = "multiple", "t"
"""The column of the points: of one update, 0 the base and 1 the update; of a path, from its first end to its second."""


@dataclass(frozen=True)
class PointLosses:
    """Losses at some points, on the sequences of one loss."""

    sequences: tuple[str, ...]
    points: np.ndarray
    """(points), increasing."""
    losses: np.ndarray
    """(points, sequences), nats per token."""

    def at(self, point: float) -> np.ndarray:
        """Return the losses at one measured point, (sequences,)."""
        return self.losses[int(np.flatnonzero(self.points == point)[0])]


def write_losses(path: str | Path, losses: Mapping[str, PointLosses], column: str = MULTIPLE) -> None:
    """Write losses by sequence: the columns `loss`, that of the points, `sequence` and `value`."""
    write_rows(
        path,
        ("loss", column, "sequence", "value"),
        (
            (loss, float(point), sequence, float(value))
            for loss, measured in losses.items()
            for point, values in zip(measured.points, measured.losses, strict=True)
            for sequence, value in zip(measured.sequences, values, strict=True)
        ),
    )


def read_losses(path: str | Path, column: str = MULTIPLE) -> dict[str, PointLosses]:
    """Return losses by sequence, by loss, from a file that `write_losses` wrote."""
    values: dict[str, dict[float, dict[str, float]]] = {}
    for row in read_rows(path):
        values.setdefault(row["loss"], {}).setdefault(float(row[column]), {})[row["sequence"]] = number(row["value"])
    return {loss: _by_sequence(by_point) for loss, by_point in values.items()}


def _by_sequence(by_point: Mapping[float, Mapping[str, float]]) -> PointLosses:
    points = sorted(by_point)
    sequences = tuple(by_point[points[0]])
    return PointLosses(
        sequences,
        np.array(points),
        np.array([[by_point[point][sequence] for sequence in sequences] for point in points]),
    )


def check_same_sequences(loss: str, wanted: Sequence[str], ends: Mapping[Any, PointLosses]) -> None:
    """Refuse end-points that were measured on other sequences; errors are paired by sequence."""
    for path, end in ends.items():
        if list(end.sequences) != list(wanted):
            raise InputError(
                f"{path} holds {loss} on other sequences than this pair's; delete it, so that it is measured again"
            )
