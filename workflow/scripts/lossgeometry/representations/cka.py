"""Linear CKA of two sets of features on the same tokens, with the biased or the unbiased estimator of HSIC.

Kornblith et al., Similarity of Neural Network Representations Revisited, ICML 2019 (arXiv 1905.00414). With the linear
kernels K = X X' and L = Y Y' of n tokens:

- unbiased: the mean of K_ij (L_ij + L_qr - 2 L_iq) over all quadruples of tokens i, j, q, r of four different
  sequences. Tokens of one sequence depend on each other, so only sequences are independent draws; the expectation is 0
  for independent features however much of their variance lies between sequences. Where every sequence has one token
  this is HSIC_1 of Song et al., Feature Selection via Dependence Maximization, JMLR 13, 2012, eq. 5;
- biased: tr(K H L H) / n^2 with H = I - 11'/n, which reads 0.9 for pure noise in 2,560 dimensions on 256 tokens.
"""

import numpy as np

from lossgeometry.representations.features import Features
from lossgeometry.representations.sequence_sums import Form, KernelSums, kernel_sums

FEWEST_SEQUENCES = 4
"""Sequences that the unbiased estimator needs."""


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
        Whether HSIC is estimated without bias, with sequences as units.
    form
        How products of kernels are formed, see `sequence_sums`; the result is the same up to rounding.

    Returns
    -------
    (subsets,), at most 1; NaN where a model's HSIC with itself is not positive (constant features), and for the
    unbiased estimator with fewer than 4 sequences.
    """
    subsets = np.asarray(subsets, dtype=np.float64)
    sums = kernel_sums(x, y, subsets, within=not debiased, form=form)
    hsic = _unbiased_hsic if debiased else _biased_hsic
    with np.errstate(invalid="ignore", divide="ignore"):
        cross, self_x, self_y = (hsic(part, subsets, x.lengths) for part in sums)
        return np.where((self_x > 0) & (self_y > 0), np.minimum(cross / np.sqrt(self_x * self_y), 1.0), np.nan)


def _biased_hsic(sums: KernelSums, subsets: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return tr(K H L H) / n^2 on every subset, (subsets,)."""
    n = lengths @ subsets
    totals = [_form(block, subsets, subsets) for block in sums.blocks]
    trace = _form(sums.products, subsets, subsets)  # tr(K L)
    return (trace - 2 / n * sums.corners + totals[0] * totals[1] / n**2) / n**2  # the corners are 1'K L1


def _unbiased_hsic(sums: KernelSums, subsets: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return the mean over quadruples of tokens of four different sequences on every subset, (subsets,).

    Each of the three sums below runs over the ordered quadruples of different sequences s, t, u, v; a token that a term
    does not name is counted, with the n_u or n_v tokens that it can be.
    """
    once, twice = (subsets * lengths[:, None] ** power for power in (1.0, 2.0))
    n, n2, n3, n4 = (lengths**power @ subsets for power in (1.0, 2.0, 3.0, 4.0))
    # K_ij L_ij, times n_u n_v summed over u, v: (n - n_s - n_t)^2 - (n2 - n_s^2 - n_t^2).
    first = (
        (n**2 - n2) * _form(sums.products, subsets, subsets)
        - 4 * n * _form(sums.products, subsets, once)
        + 4 * _form(sums.products, subsets, twice)
        + 2 * _form(sums.products, once, once)
    )
    # K_ij L_qr: the product of both totals without quadruples that share one sequence or two.
    rows = [subsets * (block @ subsets) for block in sums.blocks]
    second = (
        rows[0].sum(axis=0) * rows[1].sum(axis=0)
        - 4 * (rows[0] * rows[1]).sum(axis=0)
        + 2 * _form(sums.blocks[0] * sums.blocks[1], subsets, subsets)
    )
    # K_ij L_iq, times n - n_s - n_t - n_u; what has t = u goes. The weighted corners hold all of n_s, n_t and n_u.
    shared = n * _form(sums.same, subsets, subsets) - _form(sums.same, once, subsets)
    third = n * sums.corners - sums.weighted_corners - shared + 2 * _form(sums.same, subsets, once)
    quadruples = n**4 - 6 * n**2 * n2 + 3 * n2**2 + 8 * n * n3 - 6 * n4
    enough = subsets.sum(axis=0) >= FEWEST_SEQUENCES
    return (first + second - 2 * third) / np.where(enough, quadruples, np.nan)


def _form(matrix: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return left' matrix right for every column, (columns,)."""
    return np.einsum("sr,sr->r", left, matrix @ right)
