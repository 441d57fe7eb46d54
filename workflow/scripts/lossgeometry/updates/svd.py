"""Compact singular value decomposition of an update from its factors, in float64; dW itself is never formed.

Steps, for dW = s B A with B (m, r) and A (r, n):
1. B = Q_b R_b and A' = Q_a R_a with orthonormal Q.
2. The r x r core s R_b R_a' = W S Z'.
3. U = Q_b W and V = Q_a Z, and dW = U S V'.

Step 1 goes through Gram matrices: with the Cholesky factor R_1 of X'X, Y = X R_1^-1 is orthonormal up to the square of
the condition number, and the Cholesky factor R_2 of Y'Y removes that error (Cholesky QR2; Yamamoto et al. 2015, etna
vol. 44, 306-326): Q = Y R_2^-1, R = R_2 R_1. The last product is made together with that of step 3, so that each long
factor takes part in four matrix products and nothing else; in two where X is so well conditioned that Y is orthonormal to
rounding already (`ONE_PASS`: an A near its random initialisation). What remains is rounding times the condition number of X
with its columns scaled to one length; past `GRAM_LIMIT`, and for factors wider than tall, Householder QR takes over.
"""

from typing import NamedTuple

import numpy as np

# Condition number of X'X, the square of that of X, up to which rounding stays below 1e-11 of the result.
GRAM_LIMIT = 1e8
# The same up to which the columns of Y are orthonormal to 2e-14: rounding, a few units of 2e-16, times this.
ONE_PASS = 64.0


class CompactSVD(NamedTuple):
    """dW = U diag(S) V', float64; the rank k is the numerical rank of dW, and is 0 for a zero update."""

    u: np.ndarray
    """(m, k), orthonormal columns: output directions."""
    s: np.ndarray
    """(k,), descending and positive."""
    v: np.ndarray
    """(n, k), orthonormal columns: input directions."""
    gain: np.ndarray | None = None
    """V'A'A V over its mean diagonal, (k, k): how strongly A passes on the input directions; None where no A is known.

    Rounded to float16: only chance levels need it, and they are then the same from an adapter and from its delta file."""

    @property
    def shape(self) -> tuple[int, int]:
        return self.u.shape[0], self.v.shape[0]

    @property
    def rank(self) -> int:
        return len(self.s)


def orthonormal_basis(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (Y, T, R) with x = Y T R and orthonormal columns in Q = Y T.

    Parameters
    ----------
    x
        (d, r), float64.

    Returns
    -------
    Y of shape (d, p), T of shape (p, p) and R of shape (p, r), with p = min(d, r).
    """
    if x.shape[1] < x.shape[0]:
        gram = x.T @ x
        length = np.sqrt(np.diag(gram))
        first = _inverse_factor(gram / np.outer(length, length)) if length.all() else None
        if first is not None:
            factor, inverse, condition = first
            if condition < ONE_PASS:
                return x, inverse / length[:, None], factor * length
            y = x @ (inverse / length[:, None])
            second = np.linalg.cholesky(y.T @ y).T
            return y, np.linalg.inv(second), second @ (factor * length)
    q, r = np.linalg.qr(x)
    return q, np.eye(len(r)), r


def _inverse_factor(gram: np.ndarray) -> tuple[np.ndarray, np.ndarray, float] | None:
    """Return the upper Cholesky factor of a Gram matrix, its inverse and a bound of the condition number; None past `GRAM_LIMIT`.

    The square of the largest singular value of a matrix is at most its largest row sum times its largest column sum, of
    absolute values.
    """
    try:
        factor = np.linalg.cholesky(gram).T
    except np.linalg.LinAlgError:
        return None
    inverse = np.linalg.inv(factor)
    rows, columns = (float(np.abs(inverse).sum(axis=axis).max()) for axis in (1, 0))
    condition = float(np.abs(gram).sum(axis=0).max()) * rows * columns
    return (factor, inverse, condition) if condition < GRAM_LIMIT else None


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
    y_b, t_b, r_b = orthonormal_basis(b)
    y_a, t_a, r_a = orthonormal_basis(a.T)
    w, s, zt = np.linalg.svd(scale * (r_b @ r_a.T), full_matrices=False)
    tolerance = max(*b.shape, *a.shape) * np.finfo(np.float64).eps
    rank = int(np.sum(s > tolerance * s[0])) if s.size and s[0] > 0 else 0
    w, z = t_b @ w[:, :rank], t_a @ zt[:rank].T
    sign = np.where(y_b.sum(axis=0) @ w < 0, -1.0, 1.0)
    # A V = R_a' Q_a'Q_a Z, and Q_a is orthonormal.
    passed = r_a.T @ (zt[:rank].T * sign)
    gain = passed.T @ passed
    gain *= rank / max(np.trace(gain), 1e-300)
    return CompactSVD(y_b @ (w * sign), s[:rank], y_a @ (z * sign), gain.astype(np.float16).astype(np.float64))


def haar(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    """Return uniformly random orthonormal columns (Mezzadri 2007, doi:10.48550/arXiv.math-ph/0609050)."""
    q, r = np.linalg.qr(rng.standard_normal((rows, columns)))
    return q * np.where(np.diag(r) < 0, -1.0, 1.0)
