"""Linear CKA of two sets of features on the same tokens, with the biased or the unbiased estimator of HSIC.

Kornblith et al., Similarity of Neural Network Representations Revisited, ICML 2019 (arXiv 1905.00414). With the linear
kernels K = X X' and L = Y Y' of n tokens:

- unbiased (Song et al., Feature Selection via Dependence Maximization, JMLR 13, 2012, eq. 5): with zero diagonals of K
  and L, HSIC_1 = [tr(K L) + (1'K1)(1'L1) / ((n-1)(n-2)) - 2 / (n-2) 1'K L1] / (n (n-3)); its expectation is 0 for
  independent features;
- biased: tr(K H L H) / n^2 with H = I - 11'/n, which reads 0.9 for pure noise in 2,560 dimensions on 256 tokens.
"""

import numpy as np

from lossgeometry.representations.features import Features
from lossgeometry.representations.sequence_sums import Form, KernelSums, kernel_sums


def cka(
    x: Features, y: Features, subsets: np.ndarray, *, debiased: bool = True, form: Form | None = None
) -> np.ndarray:
    """Return the linear CKA on every subset of whole sequences, exactly, from one pass over the features.

    Parameters
    ----------
    x, y
        Features of two models on the same tokens.
    subsets
        (sequences, subsets) of 0 and 1; a column of ones is the whole.
    debiased
        Whether HSIC is estimated without bias.
    form
        How products of kernels are formed, see `sequence_sums`; the result is the same up to rounding.

    Returns
    -------
    (subsets,), at most 1; NaN where a model's HSIC with itself is not positive (constant features), and for the
    unbiased estimator with fewer than 4 tokens.
    """
    subsets = np.asarray(subsets, dtype=np.float64)
    tokens = x.lengths @ subsets
    sums = kernel_sums(x, y, subsets, diagonal=not debiased, form=form)
    with np.errstate(invalid="ignore", divide="ignore"):
        cross, self_x, self_y = (_hsic(part, subsets, tokens, debiased) for part in sums)
        return np.where((self_x > 0) & (self_y > 0), cross / np.sqrt(self_x * self_y), np.nan)


def _hsic(sums: KernelSums, subsets: np.ndarray, tokens: np.ndarray, debiased: bool) -> np.ndarray:
    """Return HSIC on every subset, (subsets,)."""
    trace = np.einsum("sr,sr->r", subsets, sums.products @ subsets)  # tr(K L)
    corner = (subsets * sums.corners).sum(axis=0)  # 1'K L1
    total = (subsets * sums.totals[0]).sum(axis=0) * (subsets * sums.totals[1]).sum(axis=0)  # (1'K1)(1'L1)
    if debiased:
        n = np.where(tokens > 3, tokens, np.nan)
        return (trace + total / ((n - 1) * (n - 2)) - 2 / (n - 2) * corner) / (n * (n - 3))
    n = tokens
    return (trace - 2 / n * corner + total / n**2) / n**2
