"""The two factors of one module's update, and the inner product of two such updates."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from lossgeometry.errors import InputError


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


def require_finite(source: str | Path, module: str, *arrays: np.ndarray) -> None:
    """Raise InputError if arrays hold NaN or infinity; a sum is finite only if every term is."""
    if not all(np.isfinite(array.sum()) for array in arrays):
        raise InputError(
            f"{source}: {module} holds values that are not finite (its training diverged); leave this adapter out"
        )
