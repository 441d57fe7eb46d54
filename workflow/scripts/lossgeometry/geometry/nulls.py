"""Chance levels in closed form: mean and standard deviation of each statistic when the two updates are unrelated.

Two updates are unrelated when the directions of one say nothing about those of the other. The null model therefore
turns one of them at random (Haar), keeps both spectra, and keeps what the other side is found to be:

- the cosine turns the outputs and keeps the relation of the inputs, or the reverse, whichever is the wider: adapters of
  one base read alike inputs whatever their losses are, with or without a common initialisation;
- output directions are uniform in all m dimensions;
- on the input side each B is turned inside its A (`inside_a`), or where no A is known directions inside the row space of
  each update (`row_spaces`), so that a common A, a common A that moved and independent ones are one case.

Moments of the trace of a randomly turned matrix: for fixed M, E tr(P M)^2 = norm(M)^2 / m. For symmetric X and Y, E
tr(X P Y P') = tr X tr Y / d, with variance 2 norm(X - tr X / d)^2 norm(Y - tr Y / d)^2 / ((d - 1)(d + 2)), since the
traceless symmetric matrices, of which there are (d - 1)(d + 2) / 2 dimensions, are mixed evenly by rotations.
"""

import math
from typing import NamedTuple

import numpy as np


class Null(NamedTuple):
    """Chance level of one value."""

    mean: float
    sd: float


UNDEFINED = Null(math.nan, math.nan)
"""For quantities of one update, such as norms and ranks, which have no chance level."""


def inner_variances(a, b, overlap_u: np.ndarray, overlap_v: np.ndarray) -> tuple[float, float]:
    """Return the variance of <dW_a, dW_b> with the outputs turned, and with the inputs turned; its mean is 0.

    Parameters
    ----------
    a, b
        `CompactSVD` of shape (m, n).
    overlap_u, overlap_v
        U_a' U_b and V_a' V_b, (k_a, k_b).

    Returns
    -------
    norm(dW_a dW_b')^2 / m and norm(dW_a' dW_b)^2 / n, read off the cores S_a V_a'V_b S_b and S_a U_a'U_b S_b.
    """
    weights = np.multiply.outer(a.s**2, b.s**2)
    m, n = a.shape
    return float(np.sum(weights * overlap_v**2)) / m, float(np.sum(weights * overlap_u**2)) / n


def top_direction(d: int) -> Null:
    """Return the null of abs(x'y) for unit vectors in d dimensions, whose square is Beta(1/2, (d - 1)/2)."""
    mean = math.exp(math.lgamma(d / 2) - math.lgamma((d + 1) / 2)) / math.sqrt(math.pi)
    return Null(mean, math.sqrt(max(1 / d - mean**2, 0.0)))


def trace_product(x: np.ndarray, y: np.ndarray, d: int) -> Null:
    """Return the law of tr(X P Y P') for symmetric X, Y of size d whose nonzero eigenvalues are given."""
    trace_x, trace_y = float(x.sum()), float(y.sum())
    mean = trace_x * trace_y / d
    return Null(mean, math.sqrt(2 * mixing(x, d) * mixing(y, d) * (d - 1) * (d + 2)))


def turned_product(x: np.ndarray, y: np.ndarray, trace: float, norm2: float, dimensions: tuple[int, int]) -> Null:
    """Return the law of tr(P X P' M Q Y Q' M') for symmetric X, Y and independent rotations P, Q.

    Split X and Y into multiples of the identity and traceless parts: the product falls into a constant and three
    uncorrelated terms, each with a traceless random matrix, whose second moments are those of `trace_product`.

    Parameters
    ----------
    x, y
        Nonzero eigenvalues of X and Y.
    trace, norm2
        tr(M'M) and norm(M'M)^2.
    dimensions
        Rows and columns (r_a, r_b) of M; 0 for an update of rank zero.
    """
    rows, columns = dimensions
    if not rows * columns:
        return Null(0.0, 0.0)
    share_x, share_y = float(x.sum()) / rows, float(y.sum()) / columns
    mix_x, mix_y = mixing(x, rows), mixing(y, columns)
    variance = 2 * share_y**2 * mix_x * max(norm2 - trace**2 / rows, 0.0)
    variance += 2 * share_x**2 * mix_y * max(norm2 - trace**2 / columns, 0.0)
    both = norm2 * (1 - 2 / rows - 2 / columns) + trace**2 * (1 + 2 / (rows * columns))
    return Null(share_x * share_y * trace, math.sqrt(variance + 2 * mix_x * mix_y * max(both, 0.0)))


def mixing(x: np.ndarray, d: int) -> float:
    """Return norm(X - tr X / d)^2 per dimension of the traceless symmetric matrices of size d, halved."""
    if d == 1:
        return 0.0
    rest = float(x @ x) - float(x.sum()) ** 2 / d
    return rest / ((d - 1) * (d + 2)) if rest > ROUNDING * float(x @ x) else 0.0


ROUNDING = 1e-12
"""Share below which a difference of squares is rounding: a spread of chance so small is none."""


def orthogonal_fraction(weights: np.ndarray, variances: np.ndarray) -> Null:
    """Return the null of sqrt(sum_i w_i (1 - c_i^2)), to second order in x = sum_i w_i c_i^2, the share due to chance.

    Parameters
    ----------
    weights
        Share of each module in the squared norm of the measured update, (modules,); sums to 1.
    variances
        Variance of each module's cosine c_i under the null model, (modules,).
    """
    mean = float(weights @ variances)
    variance = 2 * float(weights**2 @ variances**2)
    rest = max(1 - mean, 0.0)
    if rest == 0.0:
        return Null(0.0, 0.0)
    return Null(math.sqrt(rest) * (1 - variance / (8 * rest**2)), math.sqrt(variance / (4 * rest)))
