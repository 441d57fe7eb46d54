"""How an update moves through training: from step to step, and towards the last one, from inner products alone.

With G[s, t] = <dW_s, dW_t> of the updates at successive steps, and dW_0 = 0, every length and angle of the path follows. What a
path without a direction would show is exact: increments of the same lengths that are orthogonal to each other have
G0[s, t] = sum over u <= min(s, t) of norm(dW_u - dW_(u-1))^2.
"""

import math
from typing import NamedTuple

import numpy as np


class Step(NamedTuple):
    """One step of the path; the columns of its table."""

    step: str
    norm: float
    moved: float
    """norm(dW_t - dW_(t-1))."""
    turn: float
    """Cosine of this increment and the one before."""
    cosine_last: float
    """Cosine of the update here and at the end."""
    cosine_last_chance: float
    """The same with orthogonal increments of the same lengths."""


class Trajectory(NamedTuple):
    """A whole path."""

    steps: list[Step]
    efficiency: float
    """Norm at the end over the length of the path."""
    efficiency_chance: float
    """With orthogonal increments."""
    first_direction: float
    """Share of the first eigenvalue of G: 1 if all updates lie on one line."""
    first_direction_chance: float
    """Of G0."""


def trajectory(steps: list[str], gram: np.ndarray) -> Trajectory:
    """Return the path through updates with the Gram matrix G, (T, T), T >= 2."""
    padded = np.pad(gram, ((1, 0), (1, 0)))
    increments = np.diff(np.diff(padded, axis=0), axis=1)
    lengths = np.sqrt(np.maximum(np.diag(increments), 0))
    walked = np.cumsum(lengths**2)
    chance = np.minimum.outer(walked, walked)
    norms = np.sqrt(np.diag(gram))
    rows = [
        Step(
            step,
            float(norms[t]),
            float(lengths[t]),
            _ratio(increments[t, t - 1], lengths[t] * lengths[t - 1]) if t else math.nan,
            _ratio(gram[t, -1], norms[t] * norms[-1]),
            _ratio(chance[t, -1], math.sqrt(chance[t, t] * chance[-1, -1])),
        )
        for t, step in enumerate(steps)
    ]
    return Trajectory(
        rows,
        _ratio(norms[-1], lengths.sum()),
        _ratio(math.sqrt(walked[-1]), lengths.sum()),
        _first_share(gram),
        _first_share(chance),
    )


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else math.nan


def _first_share(gram: np.ndarray) -> float:
    return _ratio(np.linalg.eigvalsh(gram)[-1], np.trace(gram))
