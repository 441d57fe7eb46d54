"""Features of one model at one layer, centred, optionally standardised, and read a few rows at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from lossgeometry.representations.storage import StoredRows

ROWS_AT_ONCE = 512
"""Tokens read at a time."""


@dataclass(frozen=True)
class Features:
    """Token rows of one layer, of which ``(raw - mean) * factor`` is used."""

    raw: np.ndarray | StoredRows
    """(tokens, dimensions) of any float type, in memory or on disk; the tokens of a sequence follow each other."""
    starts: np.ndarray
    """(sequences + 1), the first token of each sequence, and the number of tokens at the end."""
    mean: np.ndarray
    """(dimensions), float64."""
    factor: np.ndarray
    """(dimensions), float64."""

    @property
    def dimensions(self) -> int:
        """Width of the features."""
        return self.raw.shape[1]

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each sequence."""
        return np.diff(self.starts)

    def of_sequences(self, first: int, last: int) -> np.ndarray:
        """Return the rows of the sequences [first, last), float64 (tokens, dimensions)."""
        rows = self.raw[self.starts[first] : self.starts[last]].astype(np.float64)
        rows -= self.mean
        rows *= self.factor
        return rows

    def blocks(self) -> list[tuple[int, int]]:
        """Return ranges of sequences that hold about `ROWS_AT_ONCE` tokens each, or one sequence if that is longer."""
        ranges, first = [], 0
        count = len(self.starts) - 1
        for last in range(1, count + 1):
            if last == count or self.starts[last + 1] - self.starts[first] > ROWS_AT_ONCE:
                ranges.append((first, last))
                first = last
        return ranges


def centred(
    raw: np.ndarray | StoredRows, lengths: Sequence[int] | np.ndarray, *, standardise: bool = False
) -> Features:
    """Return features centred over all tokens and, if asked for, scaled to unit variance in every dimension.

    Parameters
    ----------
    raw
        (tokens, dimensions).
    lengths
        Tokens of each sequence, in the order of the rows.
    standardise
        Divide every dimension by its standard deviation over all tokens; a constant dimension becomes 0.
    """
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    if starts[-1] != len(raw):
        raise ValueError(f"the sequences hold {starts[-1]} tokens, but there are {len(raw)} rows")
    mean = sum(rows.sum(axis=0) for rows in _parts(raw)) / len(raw)
    factor = np.ones_like(mean)
    if standardise:
        deviation = np.sqrt(sum(((rows - mean) ** 2).sum(axis=0) for rows in _parts(raw)) / len(raw))
        constant = deviation <= 1e-12 * np.abs(mean)  # rounding alone leaves a spread of this size
        factor = np.where(constant, 0.0, 1.0 / np.where(constant, 1.0, deviation))
    return Features(raw, starts, mean, factor)


def _parts(raw: np.ndarray | StoredRows) -> Iterator[np.ndarray]:
    for start in range(0, len(raw), ROWS_AT_ONCE):
        yield raw[start : start + ROWS_AT_ONCE].astype(np.float64)
