"""The two factors of one module's update, and the inner product of two such updates."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from lossgeometry.errors import InputError

_LARGEST = 1e50


class Factors(NamedTuple):
    """The update s B A of one module."""

    b: np.ndarray
    """B, (m, r), float64."""
    a: np.ndarray
    """A, (r, n), float64."""
    scale: float
    """s."""


def inner_product(outputs: np.ndarray, inputs: np.ndarray) -> float:
    """Return <B_a A_a, B_b A_b>, the sum over all entries of the product of two updates.

    Parameters
    ----------
    outputs, inputs
        The overlaps B_a' B_b and A_a A_b', (r_a, r_b), float64. With decompositions these are S_a U_a' U_b S_b and V_a' V_b.

    Notes
    -----
    tr((B_a A_a)' B_b A_b) = tr(A_a' (B_a' B_b) A_b) = sum((B_a' B_b) o (A_a A_b')).
    """
    return float(np.sum(outputs * inputs))


def sum_of(x: Factors, y: Factors) -> Factors:
    """Return the factors of the sum of two updates: theirs, side by side and one below the other."""
    return Factors(np.hstack([x.scale * x.b, y.scale * y.b]), np.vstack([x.a, y.a]), 1.0)


def triangle(matrix: np.ndarray) -> np.ndarray:
    """Return R of the QR decomposition of a matrix (m, n), (min(m, n), n)."""
    return np.linalg.qr(matrix, mode="r")  # type: ignore[return-value]  # numpy's stubs forget this mode


def norm_of(factors: Factors) -> float:
    """Return the Frobenius norm, through the triangles of both factors: what cancels leaves rounding and not its root."""
    triangles = triangle(factors.b) @ triangle(factors.a.T).T
    return abs(factors.scale) * float(np.linalg.norm(triangles))


def checked_factors(source: str, module: str, b: np.ndarray, a: np.ndarray, scale: float = 1.0) -> Factors:
    """Return factors that somebody gave, in float64; InputError unless they have a product and are finite."""
    b, a = np.asarray(b, np.float64), np.asarray(a, np.float64)
    if b.ndim != 2 or a.ndim != 2 or b.shape[1] != a.shape[0]:
        raise InputError(f"{module}: factors of shapes {b.shape} and {a.shape} have no product; give B and A")
    require_finite(source, module, b, a)
    return Factors(b, a, float(scale))


def require_finite(source: str | Path, module: str, *arrays: np.ndarray) -> None:
    """Raise InputError if arrays hold NaN, infinity, or numbers whose fourth powers are no numbers any more."""
    # A sum is finite only if every term is.
    if not all(abs(array.sum()) < _LARGEST for array in arrays):
        raise InputError(
            f"{source}: {module} holds values that are not finite (its training diverged); leave this adapter out"
        )
