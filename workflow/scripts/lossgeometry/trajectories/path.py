"""How an update moves through training: from step to step, and towards the last one, from inner products alone.

With G[s, t] = <dW_s, dW_t> of the updates at successive steps, and dW_0 = 0, every length and angle of the path follows. What a
path without a direction would show is exact: increments of the same lengths that are orthogonal to each other have
G0[s, t] = sum over u <= min(s, t) of norm(dW_u - dW_(u-1))^2.
"""

import math
from typing import NamedTuple

import numpy as np


class Step(NamedTuple):
    """One step of the path; the columns of its table. What is named `chance` is of orthogonal increments of the same lengths."""

    step: str
    norm: float
    moved: float
    """norm(dW_t - dW_(t-1))."""
    turn: float
    """Cosine of this increment and the one before."""
    cosine_last: float
    """Cosine of the update here and at the end."""
    cosine_last_chance: float
    efficiency: float
    """Norm over the length of the path until here."""
    efficiency_chance: float
    first_direction: float
    """Share of the first eigenvalue of G until here: 1 if all updates lie on one line."""
    first_direction_chance: float
    effective_rank: float
    """exp of the entropy of the eigenvalues of G until here: directions that the path takes."""
    effective_rank_chance: float


def path_steps(steps: list[str], gram: np.ndarray) -> list[Step]:
    """Return the path through updates with the Gram matrix G, (T, T), in order."""
    padded = np.pad(gram, ((1, 0), (1, 0)))
    increments = np.diff(np.diff(padded, axis=0), axis=1)
    lengths = np.sqrt(np.maximum(np.diag(increments), 0))
    walked = np.cumsum(lengths**2)
    chance = np.minimum.outer(walked, walked)
    norms = np.sqrt(np.diag(gram))
    rows = []
    for t, step in enumerate(steps):
        until = slice(t + 1), slice(t + 1)
        length = float(lengths[: t + 1].sum())
        (first, rank), (first_chance, rank_chance) = (_directions(matrix[until]) for matrix in (gram, chance))
        rows.append(
            Step(
                step,
                float(norms[t]),
                float(lengths[t]),
                _ratio(increments[t, t - 1], lengths[t] * lengths[t - 1]) if t else math.nan,
                _ratio(gram[t, -1], norms[t] * norms[-1]),
                _ratio(chance[t, -1], math.sqrt(chance[t, t] * chance[-1, -1])),
                *(_ratio(norms[t], length), _ratio(math.sqrt(walked[t]), length)),
                *(first, first_chance, rank, rank_chance),
            )
        )
    return rows


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else math.nan


def _directions(gram: np.ndarray) -> tuple[float, float]:
    """Return the share of the first eigenvalue, and exp of the entropy of all shares; NaN for a path that never moved."""
    values = np.maximum(np.linalg.eigvalsh(gram), 0)
    if not values.any():
        return math.nan, math.nan
    shares = values / values.sum()
    live = shares[shares > 0]
    return float(shares[-1]), math.exp(-float(live @ np.log(live)))
