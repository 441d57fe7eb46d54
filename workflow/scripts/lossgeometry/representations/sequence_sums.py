"""Sums over tokens of two linear kernels, kept by sequence: all that HSIC on any subset of whole sequences needs.

K = X X' and L = Y Y' are the kernels of two sets of features on the same tokens. The products K_ij L_ij, summed over i
in one sequence and j in another, have two forms:

- Gram: the blocks of K and L themselves, O(n^2 d);
- feature: <X_s'Y_s, X_t'Y_t> for the sequences s and t, O(n d^2 + S^2 d^2) with S sequences.

Both hold blocks only: their memory depends on the dimensions and on the number of sequences, not on the number of
tokens.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from lossgeometry.representations.features import Features

Form = Literal["gram", "feature"]
CROSS_ENTRIES = 1 << 22
"""Most entries of the cross-products X_s'Y_s of all sequences held at a time: 32 MiB in float64."""


@dataclass(frozen=True)
class KernelSums:
    """Sums over the tokens of S sequences, for R subsets of them; the diagonals of K and L count, or are taken as
    zero."""

    products: np.ndarray
    """(S, S): sum of K_ij L_ij over i in one sequence and j in another."""
    corners: np.ndarray
    """(S, R): sum of (K w)_i (L w)_i over i in a sequence, with w the indicator of a subset's tokens."""
    totals: tuple[np.ndarray, np.ndarray]
    """Two of (S, R): sum of (K w)_i, and of (L w)_i, over i in a sequence."""


def kernel_sums(
    x: Features, y: Features, subsets: np.ndarray, *, diagonal: bool, form: Form | None
) -> tuple[KernelSums, KernelSums, KernelSums]:
    """Return the sums of the kernels of x with those of y, of x with itself, and of y with itself.

    Parameters
    ----------
    x, y
        Features on the same tokens.
    subsets
        (S, R), float64, of 0 and 1.
    diagonal
        Whether K_ii and L_ii count; without them they are taken as zero.
    form
        `gram` or `feature`; None takes the one with fewer operations.
    """
    products = (_gram_products if (form or cheaper_form(x, y)) == "gram" else _feature_products)(x, y)
    sequences, count = subsets.shape
    corners = np.empty((3, sequences, count))
    totals = np.empty((2, sequences, count))
    columns = [_segment_sums(features).T @ subsets for features in (x, y)]  # 2 of (dimensions, R)
    for first, last in x.blocks():
        margins = []
        selfs = []
        for features, column in zip((x, y), columns, strict=True):
            rows = features.of_sequences(first, last)
            margins.append(rows @ column)  # (tokens, R): (K w)_i
            selfs.append(np.einsum("id,id->i", rows, rows))  # (tokens): K_ii
        offsets = x.starts[first:last] - x.starts[first]
        if not diagonal:
            own = np.repeat(subsets[first:last], x.lengths[first:last], axis=0)  # (tokens, R): w_i
            for margin, self_product in zip(margins, selfs, strict=True):
                margin -= own * self_product[:, None]
            here = np.arange(first, last)
            for product, (left, right) in zip(products, ((0, 1), (0, 0), (1, 1)), strict=True):
                product[here, here] -= np.add.reduceat(selfs[left] * selfs[right], offsets)
        for index, (left, right) in enumerate(((0, 1), (0, 0), (1, 1))):
            corners[index, first:last] = np.add.reduceat(margins[left] * margins[right], offsets, axis=0)
        for index, margin in enumerate(margins):
            totals[index, first:last] = np.add.reduceat(margin, offsets, axis=0)
    return (
        KernelSums(products[0], corners[0], (totals[0], totals[1])),
        KernelSums(products[1], corners[1], (totals[0], totals[0])),
        KernelSums(products[2], corners[2], (totals[1], totals[1])),
    )


def cheaper_form(x: Features, y: Features) -> Form:
    """Return the form of the products with fewer operations."""
    tokens, sequences = int(x.starts[-1]), len(x.starts) - 1
    gram = tokens**2 * (x.dimensions + y.dimensions)
    pairs = x.dimensions * y.dimensions + x.dimensions**2 + y.dimensions**2
    return "gram" if gram < 2 * (tokens + sequences**2) * pairs else "feature"


def _segment_sums(features: Features) -> np.ndarray:
    """Return the sum of the rows of each sequence, (sequences, dimensions)."""
    return np.concatenate(
        [
            np.add.reduceat(features.of_sequences(first, last), features.starts[first:last] - features.starts[first])
            for first, last in features.blocks()
        ]
    )


def _gram_products(x: Features, y: Features) -> list[np.ndarray]:
    sequences = len(x.starts) - 1
    products = [np.zeros((sequences, sequences)) for _ in range(3)]
    blocks = x.blocks()
    for index, (first, last) in enumerate(blocks):
        rows = [features.of_sequences(first, last) for features in (x, y)]
        across = x.starts[first:last] - x.starts[first]
        for start, stop in blocks[index:]:
            gram_x, gram_y = (
                own @ features.of_sequences(start, stop).T for own, features in zip(rows, (x, y), strict=True)
            )
            down = x.starts[start:stop] - x.starts[start]
            for product, entries in zip(products, (gram_x * gram_y, gram_x * gram_x, gram_y * gram_y), strict=True):
                block = np.add.reduceat(np.add.reduceat(entries, down, axis=1), across, axis=0)
                product[first:last, start:stop] = block
                product[start:stop, first:last] = block.T
    return products


def _feature_products(x: Features, y: Features) -> list[np.ndarray]:
    return [_cross_products(left, right) for left, right in ((x, y), (x, x), (y, y))]


def _cross_products(left: Features, right: Features) -> np.ndarray:
    sequences = len(left.starts) - 1
    width = max(1, CROSS_ENTRIES // (sequences * right.dimensions))
    product = np.zeros((sequences, sequences))
    for start in range(0, left.dimensions, width):
        crosses = np.stack(
            [
                (left.of_sequences(s, s + 1)[:, start : start + width].T @ right.of_sequences(s, s + 1)).ravel()
                for s in range(sequences)
            ]
        )  # (sequences, width * dimensions)
        product += crosses @ crosses.T
    return product
