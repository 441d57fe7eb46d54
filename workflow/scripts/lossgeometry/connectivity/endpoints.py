"""The ends of all paths: losses of one model, measured once and shared by every pair that the model is in.

An update is also measured at multiples of itself on its way to the base. That is the control of a barrier: the middle
of a path between two unrelated updates is shorter than its ends, and a shorter update alone already has another loss.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lossgeometry.errors import InputError
from lossgeometry.files.csv_rows import read_rows, write_rows

COLUMNS = ("loss", "multiple", "sequence", "value")


@dataclass(frozen=True)
class EndPoint:
    """Losses of one update, at multiples of itself, on the sequences of one loss."""

    sequences: tuple[str, ...]
    multiples: np.ndarray
    """(multiples), increasing; 0 is the base and 1 the update."""
    losses: np.ndarray
    """(multiples, sequences), nats per token."""

    def at(self, multiple: float) -> np.ndarray:
        """Return the losses at one measured multiple, (sequences,)."""
        return self.losses[int(np.flatnonzero(self.multiples == multiple)[0])]


def write_endpoint(path: str | Path, losses: Mapping[str, EndPoint]) -> None:
    """Write the end-points of one model, by loss."""
    write_rows(
        path,
        COLUMNS,
        (
            (loss, float(multiple), sequence, float(value))
            for loss, end in losses.items()
            for multiple, values in zip(end.multiples, end.losses, strict=True)
            for sequence, value in zip(end.sequences, values, strict=True)
        ),
    )


def read_endpoint(path: str | Path) -> dict[str, EndPoint]:
    """Return the end-points of one model, by loss, from a file that `write_endpoint` wrote."""
    values: dict[str, dict[float, dict[str, float]]] = {}
    for row in read_rows(path):
        values.setdefault(row["loss"], {}).setdefault(float(row["multiple"]), {})[row["sequence"]] = float(row["value"])
    return {loss: _endpoint(by_multiple) for loss, by_multiple in values.items()}


def _endpoint(by_multiple: Mapping[float, Mapping[str, float]]) -> EndPoint:
    multiples = sorted(by_multiple)
    sequences = tuple(by_multiple[multiples[0]])
    return EndPoint(
        sequences,
        np.array(multiples),
        np.array([[by_multiple[multiple][sequence] for sequence in sequences] for multiple in multiples]),
    )


def check_same_sequences(loss: str, wanted: Sequence[str], ends: Mapping[str, EndPoint]) -> None:
    """Refuse end-points that were measured on other sequences; errors are paired by sequence."""
    for path, end in ends.items():
        if list(end.sequences) != list(wanted):
            raise InputError(
                f"{path} holds {loss} on other sequences than this pair's; delete it, so that it is measured again"
            )
