"""How far two models are apart on the same tokens, and whether they left their common base in the same direction.

CKA of two models that share a base is close to 1 because the base is in both; these two are not blind to it.
"""

from collections.abc import Callable

import numpy as np

from lossgeometry.representations.features import ROWS_AT_ONCE
from lossgeometry.representations.storage import StoredRows

Rows = np.ndarray | StoredRows


def relative_residual(a: Rows, b: Rows, lengths: np.ndarray, subsets: np.ndarray) -> np.ndarray:
    """Return norm(H_a - H_b) / norm(H_a) over all tokens of every subset of sequences.

    Parameters
    ----------
    a, b
        (tokens, dimensions) hidden states, not centred, in memory or on disk.
    lengths
        Tokens of each sequence.
    subsets
        (sequences, subsets) of 0 and 1.

    Returns
    -------
    (subsets,), NaN where H_a is zero.
    """

    def squares(rows: slice) -> np.ndarray:
        first, second = _rows(a, rows), _rows(b, rows)
        return np.stack([_inner(first - second, first - second), _inner(first, first)])

    difference, size = _sums_by_sequence(squares, lengths) @ subsets
    return _ratio(np.sqrt(difference), np.sqrt(size))


def shift_cosine(base: Rows, a: Rows, b: Rows, lengths: np.ndarray, subsets: np.ndarray) -> np.ndarray:
    """Return <H_a - H_0, H_b - H_0> / (norm(H_a - H_0) norm(H_b - H_0)) over all tokens of every subset of sequences.

    Arguments as for `relative_residual`, after the base's hidden states H_0. NaN where a model does not differ from the
    base.
    """

    def products(rows: slice) -> np.ndarray:
        origin = _rows(base, rows)
        first, second = _rows(a, rows) - origin, _rows(b, rows) - origin
        return np.stack([_inner(first, second), _inner(first, first), _inner(second, second)])

    cross, size_a, size_b = _sums_by_sequence(products, lengths) @ subsets
    return _ratio(cross, np.sqrt(size_a) * np.sqrt(size_b))


def unrelated_residual(base: Rows, a: Rows, b: Rows, lengths: np.ndarray) -> float:
    """Return the relative residual that shifts of these sizes leave when they are orthogonal, as unrelated ones are on average.

    sqrt(norm(H_a - H_0)^2 + norm(H_b - H_0)^2) / norm(H_a); arguments as for `shift_cosine`.
    """

    def squares(rows: slice) -> np.ndarray:
        origin, first, second = (_rows(raw, rows) for raw in (base, a, b))
        return np.stack(
            [_inner(first - origin, first - origin), _inner(second - origin, second - origin), _inner(first, first)]
        )

    size_a, size_b, whole = _sums_by_sequence(squares, lengths).sum(axis=1)
    return float(_ratio(np.sqrt(size_a + size_b), np.sqrt(whole)))


def _sums_by_sequence(per_token: Callable[[slice], np.ndarray], lengths: np.ndarray) -> np.ndarray:
    """Return sums of per-token quantities, (quantities, tokens), over each sequence, (quantities, sequences)."""
    tokens = int(np.sum(lengths))
    values = [per_token(slice(start, min(start + ROWS_AT_ONCE, tokens))) for start in range(0, tokens, ROWS_AT_ONCE)]
    return np.add.reduceat(np.concatenate(values, axis=1), np.cumsum(lengths) - lengths, axis=1)


def _rows(raw: Rows, rows: slice) -> np.ndarray:
    return raw[rows].astype(np.float64)


def _inner(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.einsum("id,id->i", first, second)


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(below > 0, above / below, np.nan)
