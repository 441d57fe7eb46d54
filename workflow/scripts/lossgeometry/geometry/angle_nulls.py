"""Chance level of principal angles, from samples of their law; and that of a median over modules, from those samples.

Uniformly random subspaces of dimensions k <= l in R^d with k + l <= d: the squared cosines are the eigenvalues of
B (A + B)^-1 with independent Wishart matrices A of d - l and B of l degrees of freedom (Muirhead 1982, theorem 3.3.3).
Hence the cotangents of the angles are the singular values of L_A^-1 L_B, with the Bartlett factors L of A and B: k x k
triangles of independent normal and chi variables. The extreme eigenvalues have no elementary law, and their limits
(an edge at cosine 2 sqrt(p (1 - p)), p = k / d; Tracy-Widom around it, Johnstone 2008, doi:10.1214/08-AOS605) are off
by many standard errors at k = 10. So the exact law is sampled, with a fixed seed: the same numbers every time.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np

from lossgeometry.geometry.nulls import Null

DRAWS = 8000
MEDIANS = 1000
_SEED = 20_260_621


@cache
def sample_extreme_angles(k: int, l: int, d: int) -> tuple[np.ndarray, np.ndarray]:  # noqa: E741
    """Return `DRAWS` samples of the first and of the last principal angle of random subspaces, degrees.

    Subspaces with k + l > d intersect: their first angle is 0, and the others are those of their orthogonal
    complements.
    """
    k, l = sorted((k, l))  # noqa: E741
    if k + l > d:
        if d == l:
            return np.zeros(DRAWS), np.zeros(DRAWS)
        return np.zeros(DRAWS), sample_extreme_angles(d - l, d - k, d)[1]
    rng = np.random.default_rng([_SEED, k, l, d])
    factor_a, factor_b = _bartlett(rng, k, d - l), _bartlett(rng, k, l)
    cotangents = np.linalg.svd(np.linalg.solve(factor_a, factor_b), compute_uv=False)
    angles = np.degrees(np.arctan2(1.0, cotangents))
    return angles[:, 0], angles[:, -1]


def _bartlett(rng: np.random.Generator, size: int, freedom: int) -> np.ndarray:
    """Return (DRAWS, size, size) lower triangles L with L L' Wishart of the given degrees of freedom."""
    lower = np.tril(rng.standard_normal((DRAWS, size, size)), -1)
    diagonal = np.arange(size)
    lower[:, diagonal, diagonal] = np.sqrt(rng.chisquare(freedom - diagonal, (DRAWS, size)))
    return lower


def median_null(samples: Sequence[np.ndarray]) -> Null:
    """Return the null of the median over independent modules of a statistic whose law is sampled for each.

    Parameters
    ----------
    samples
        Draws from each module's law, (draws,) each; how many may differ.
    """
    if len(samples) == 1:
        medians = samples[0]
    else:
        rng = np.random.default_rng([_SEED, len(samples)])
        picks = (rng.random((len(samples), MEDIANS)) * [[len(draws)] for draws in samples]).astype(int)
        medians = np.median([draws[pick] for draws, pick in zip(samples, picks, strict=True)], axis=0)
    return Null(float(medians.mean()), float(medians.std(ddof=1)))
