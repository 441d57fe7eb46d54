"""Chance levels in closed form: mean and standard deviation of each statistic when the two updates are unrelated.

The null model turns one update at random: dW_b becomes P dW_b Q with P and Q uniform (Haar) rotations of the outputs
and of the inputs. Singular values stay, directions become unrelated. Random permutations with random signs have the
same first and second moments, which makes them a test of these formulas.

Two adapters that start from one A differ from this on the input side: B starts at zero, so both updates read their
input through nearly the same r rows of A, whatever their losses are. Their null model turns the outputs only and
keeps the relation of the inputs as it is found (cosine), or takes input directions to be uniform in an r-dimensional
space rather than in all n (everything measured on the input side).

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


def cosine_variance(a, b, overlap_v: np.ndarray, shared_init: bool) -> float:
    """Return the variance of the inner product <dW_a, dW_b> under the null model; its mean is 0.

    Parameters
    ----------
    a, b
        `CompactSVD` of shape (m, n).
    overlap_v
        V_a' V_b, (k_a, k_b).
    shared_init
        Whether both started from one A: then norm(dW_a dW_b')^2 / m, read off the r x r core S_a V_a'V_b S_b; otherwise
        norm(dW_a)^2 norm(dW_b)^2 / (m n).
    """
    m, n = a.shape
    if shared_init:
        core = a.s[:, None] * overlap_v * b.s
        return float(np.sum(core**2)) / m
    return float(a.s @ a.s) * float(b.s @ b.s) / (m * n)


def top_direction(d: int) -> Null:
    """Return the null of abs(x'y) for unit vectors in d dimensions, whose square is Beta(1/2, (d - 1)/2)."""
    mean = math.exp(math.lgamma(d / 2) - math.lgamma((d + 1) / 2)) / math.sqrt(math.pi)
    return Null(mean, math.sqrt(max(1 / d - mean**2, 0.0)))


def trace_product(trace_x: float, norm2_x: float, trace_y: float, norm2_y: float, d: int) -> Null:
    """Return the law of tr(X P Y P') for symmetric X, Y of size d with the given traces and squared norms."""
    mean = trace_x * trace_y / d
    if d == 1:
        return Null(mean, 0.0)
    spread = max(norm2_x - trace_x**2 / d, 0.0) * max(norm2_y - trace_y**2 / d, 0.0)
    return Null(mean, math.sqrt(2 * spread / ((d - 1) * (d + 2))))


def gram_product(s_a: np.ndarray, s_b: np.ndarray, d: int) -> Null:
    """Return the null of <dW_a dW_a', dW_b dW_b'> for singular values s_a and s_b and directions in d dimensions."""
    squares_a, squares_b = s_a**2, s_b**2
    return trace_product(
        float(squares_a.sum()), float(squares_a @ squares_a), float(squares_b.sum()), float(squares_b @ squares_b), d
    )


def grassmann(i: int, j: int, d: int) -> Null:
    """Return the null of norm(U_i' U_j)^2 / min(i, j) in d dimensions; its mean is max(i, j) / d."""
    mean, sd = trace_product(i, i, j, j, d)
    return Null(mean / min(i, j), sd / min(i, j))


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
