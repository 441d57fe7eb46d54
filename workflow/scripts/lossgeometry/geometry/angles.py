"""Principal angles between two subspaces, accurate from 90 degrees down to 1e-13.

The arccosine of a singular value loses half of the digits of a small angle; the arcsine loses those of a large one.
Each angle takes the form that suits it (Bjorck and Golub 1973, doi:10.1090/S0025-5718-1973-0348991-3), and the sines
of small angles are computed on the directions of small angles alone, so that large angles in the same pair of
subspaces do not drown them.
"""

import math

import numpy as np

# Where the cosine form is still accurate to 1e-14 radians.
_COSINE_OF_SMALL = math.cos(math.radians(2.5))


def principal_angles(x: np.ndarray, y: np.ndarray, overlap: np.ndarray | None = None) -> np.ndarray:
    """Return the min(k, l) principal angles between two subspaces, in degrees, ascending.

    Parameters
    ----------
    x, y
        (d, k) and (d, l), float64, with orthonormal columns.
    overlap
        x' y, (k, l), if it is already known.
    """
    overlap = x.T @ y if overlap is None else overlap
    if x.shape[1] < y.shape[1]:
        x, y, overlap = y, x, overlap.T
    # x spans at least as many dimensions as y: the small angles are how far directions of y stick out of span(x).
    _, cosines, directions = np.linalg.svd(overlap, full_matrices=False)
    angles = np.arccos(np.minimum(cosines, 1.0))
    small = cosines > _COSINE_OF_SMALL
    if small.any():
        close = directions[small].T
        residual = y @ close - x @ (overlap @ close)
        angles[small] = np.arcsin(np.minimum(np.linalg.svd(residual, compute_uv=False)[::-1], 1.0))
    return np.degrees(angles)
