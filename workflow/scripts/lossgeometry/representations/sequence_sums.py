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
PAIRS = ((0, 1), (0, 0), (1, 1))
"""x with y, x with itself, y with itself."""


@dataclass(frozen=True)
class KernelSums:
    """Sums over the tokens of S sequences, for R subsets of them.

    K_it is the sum of K_ij over the tokens j of sequence t; k_i and k'_i are the sums of K_it and of (n_t + n_s / 2) K_it
    over the sequences t of a subset, where n_t is the number of tokens of t and s is the sequence of i; likewise for L.
    Pairs of tokens of one sequence count, or are left out everywhere.
    """

    products: np.ndarray
    """(S, S): sum of K_ij L_ij over i in one sequence and j in another."""
    blocks: tuple[np.ndarray, np.ndarray]
    """Two of (S, S): sum of K_it over i in a sequence, by t, and of L_it."""
    same: np.ndarray
    """(S, S): sum of K_it L_it over i in a sequence, by t."""
    corners: np.ndarray
    """(R,): sum of k_i l_i over the tokens i of a subset."""
    weighted_corners: np.ndarray
    """(R,): sum of k'_i l_i + k_i l'_i over the tokens i of a subset."""


def kernel_sums(
    x: Features, y: Features, subsets: np.ndarray, *, within: bool, form: Form | None
) -> tuple[KernelSums, ...]:
    """Return the sums of the kernels of x with those of y, of x with itself, and of y with itself.

    Parameters
    ----------
    x, y
        Features on the same tokens.
    subsets
        (S, R), float64, of 0 and 1.
    within
        Whether pairs of tokens of one sequence count.
    form
        `gram` or `feature`; None takes the one with fewer operations.
    """
    products = (_gram_products if (form or cheaper_form(x, y)) == "gram" else _feature_products)(x, y)
    if not within:
        for product in products:
            np.fill_diagonal(product, 0.0)
    sequences, count = subsets.shape
    scaled = subsets * x.lengths[:, None]
    blocks, same = np.empty((2, sequences, sequences)), np.empty((3, sequences, sequences))
    corners, weighted_corners = np.zeros((2, 3, count))
    sums = [_segment_sums(features).T for features in (x, y)]  # 2 of (dimensions, S)
    for first, last in x.blocks():
        offsets = x.starts[first:last] - x.starts[first]
        owners = np.repeat(np.arange(first, last), x.lengths[first:last])
        chosen = subsets[owners]  # (tokens, R)
        halves = x.lengths[owners, None] / 2
        by_sequence, plain, own, weighted = [], [], [], []
        for index, (features, total) in enumerate(zip((x, y), sums, strict=True)):
            kernel = features.of_sequences(first, last) @ total  # (tokens, S): K_it
            if not within:
                kernel[np.arange(len(owners)), owners] = 0.0
            blocks[index, first:last] = np.add.reduceat(kernel, offsets)
            by_sequence.append(kernel)
            plain.append(kernel @ subsets)  # (tokens, R): k_i
            own.append(plain[-1] * chosen)
            weighted.append(kernel @ scaled + halves * plain[-1])  # (tokens, R): k'_i
        for index, (left, right) in enumerate(PAIRS):
            same[index, first:last] = np.add.reduceat(by_sequence[left] * by_sequence[right], offsets)
            corners[index] += _columns(own[left], plain[right])
            weighted_corners[index] += _columns(weighted[left], own[right])
            weighted_corners[index] += _columns(own[left], weighted[right])
    return tuple(
        KernelSums(product, (blocks[left], blocks[right]), *parts)
        for product, (left, right), *parts in zip(products, PAIRS, same, corners, weighted_corners, strict=True)
    )


def _columns(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return np.einsum("ir,ir->r", left, right)


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
