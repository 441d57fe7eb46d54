"""Compact singular value decomposition of an update from its factors, in float64; dW itself is never formed.

Steps, for dW = s B A with B (m, r) and A (r, n):
1. B = Q_b R_b and A' = Q_a R_a with orthonormal Q.
2. The r x r core s R_b R_a' = W S Z'.
3. U = Q_b W and V = Q_a Z, and dW = U S V'.

Step 1 goes through Gram matrices: R is the Cholesky factor of X'X, and a second pass on X / R removes the error of
the first (Cholesky QR2; Yamamoto et al. 2015, etna vol. 44, 306-326), so that only matrix products touch the long
dimension. What remains is rounding times the condition number of X with its columns scaled to one length; past
`GRAM_LIMIT`, and for factors wider than tall, Householder QR takes over.
"""

from typing import NamedTuple

import numpy as np

# Condition number of X'X, the square of that of X, up to which rounding stays below 1e-11 of the result.
GRAM_LIMIT = 1e8


class CompactSVD(NamedTuple):
    """dW = U diag(S) V', float64; the rank k is the numerical rank of dW, and is 0 for a zero update."""

    u: np.ndarray
    """(m, k), orthonormal columns: output directions."""
    s: np.ndarray
    """(k,), descending and positive."""
    v: np.ndarray
    """(n, k), orthonormal columns: input directions."""

    @property
    def shape(self) -> tuple[int, int]:
        return self.u.shape[0], self.v.shape[0]

    @property
    def rank(self) -> int:
        return len(self.s)


def orthonormal_basis(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (Q, R) with x = Q R and orthonormal columns in Q.

    Parameters
    ----------
    x
        (d, r), float64.

    Returns
    -------
    Q of shape (d, min(d, r)) and R of shape (min(d, r), r).
    """
    rows, columns = x.shape
    scale = np.sqrt(np.einsum("ij,ij->j", x, x))
    if columns >= rows or not scale.all():
        return np.linalg.qr(x)
    q, r = x / scale, np.diag(scale)
    gram = q.T @ q
    if np.linalg.cond(gram) > GRAM_LIMIT:
        return np.linalg.qr(x)
    for _ in range(2):
        factor = np.linalg.cholesky(gram).T
        q, r = q @ np.linalg.inv(factor), factor @ r
        gram = q.T @ q
    return q, r


def compact_svd(b: np.ndarray, a: np.ndarray, scale: float = 1.0) -> CompactSVD:
    """Return the compact singular value decomposition of scale * b @ a.

    Parameters
    ----------
    b, a
        (m, r) and (r, n), float64; r may exceed m and n.

    Notes
    -----
    The numerical rank counts the singular values above max(m, n, r) * eps * the largest. Every column of U
    has a positive sum, so that equal updates have equal factors.
    """
    q_b, r_b = orthonormal_basis(b)
    q_a, r_a = orthonormal_basis(a.T)
    w, s, zt = np.linalg.svd(scale * (r_b @ r_a.T), full_matrices=False)
    tolerance = max(*b.shape, *a.shape) * np.finfo(np.float64).eps
    rank = int(np.sum(s > tolerance * s[0])) if s.size and s[0] > 0 else 0
    w, z = w[:, :rank], zt[:rank].T
    sign = np.where(q_b.sum(axis=0) @ w < 0, -1.0, 1.0)
    return CompactSVD(q_b @ (w * sign), s[:rank], q_a @ (z * sign))
