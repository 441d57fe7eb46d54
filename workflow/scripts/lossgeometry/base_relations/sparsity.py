"""Which entries of a weight an update changes, by a rule that knows the entry's size, at its own norm and at an equal one.

An entry w is unchanged where abs(dw) <= 1e-3 max(abs(w), abs(w + dw)), a thousandth of it (Zhu et al. 2025,
doi:10.48550/arXiv.2511.08567). A small update leaves more entries unchanged than a large one, wherever it points: only
at an equal norm does a difference belong to the direction.

sparsity               share of the entries that are unchanged
sparsity_at_equal_norm the same for the update at a thousandth of the norm of W
changed_principal      share of the changed entries, at that norm, on the tenth that is largest in the rank-k part of W
changed_low_magnitude  likewise, on the tenth that is smallest in W
"""

import math

import numpy as np

from lossgeometry.geometry.scopes import Key

RULE = 1e-3
EQUAL_NORM = 1e-3
"""Norm of dW over that of W at which updates are compared."""


def changed_entries(weight: np.ndarray, dense: np.ndarray) -> np.ndarray:
    """Return which entries of W, (m, n), the update changes."""
    return np.abs(dense) > RULE * np.maximum(np.abs(weight), np.abs(weight + dense))


def at_equal_norm(weight: np.ndarray, dense: np.ndarray) -> np.ndarray:
    """Return an update that is not zero, (m, n), at the norm at which updates are compared."""
    return dense * (EQUAL_NORM * np.linalg.norm(weight) / np.linalg.norm(dense))


def sparsity(weight: np.ndarray, masks: tuple[np.ndarray, np.ndarray], dense: np.ndarray, k: int) -> dict[Key, float]:
    """Return which entries an update that is not zero changes; `masks` are the principal and the smallest tenth of W."""
    changed = changed_entries(weight, at_equal_norm(weight, dense))
    count = int(changed.sum())
    principal, low = (float((changed & mask).sum()) / count if count else math.nan for mask in masks)
    return {
        ("sparsity", "none", 0): 1 - float(changed_entries(weight, dense).mean()),
        ("sparsity_at_equal_norm", "none", 0): 1 - count / changed.size,
        ("changed_principal", "none", k): principal,
        ("changed_low_magnitude", "none", 0): low,
    }
