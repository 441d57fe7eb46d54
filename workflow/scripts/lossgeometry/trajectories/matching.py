"""Two runs compared where they are alike: after as many steps, at equal norm, or at equal distance in behaviour.

Between two snapshots a run is taken to move in a straight line, dW = (1 - w) dW_s + w dW_t, which is exact arithmetic on stacked
factors: norms and inner products of such points follow from those of the snapshots. Before the first snapshot the line starts
at the base, where dW = 0.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

STEP, NORM, KL = "step", "norm", "KL"
ZERO, NEVER = "an update is zero", "never reached by {run}, which gets to {value:.3g}"


class Point(NamedTuple):
    """A point of a run's path."""

    step: float
    """Between two snapshots in proportion to the way."""
    weights: np.ndarray
    """Of the snapshots, (T,)."""


class Path(NamedTuple):
    """What is known of one run's path."""

    run: str
    steps: np.ndarray
    """(T,), ascending; the last is the run itself."""
    gram: np.ndarray
    """<dW_s, dW_t>, (T, T)."""
    kl: np.ndarray
    """KL(base || snapshot) per token, (T,); NaN where it is not measured."""

    @property
    def norms(self) -> np.ndarray:
        return np.sqrt(np.diag(self.gram))

    @property
    def has_kl(self) -> bool:
        """Whether behaviour is measured on the way, and not at its end alone."""
        return np.isfinite(self.kl[-1]) and np.isfinite(self.kl).sum() > 1

    def at_norm(self, level: float) -> Point | None:
        """Return where the norm first reaches a level; None if it never does."""
        padded = np.pad(self.gram, ((1, 0), (1, 0)))
        for end in range(1, len(padded)):
            before, after, both = padded[end - 1, end - 1], padded[end, end], padded[end - 1, end]
            # |(1 - w) a + w b|^2 = before + 2 w (both - before) + w^2 (before + after - 2 both)
            roots = np.roots([before + after - 2 * both, 2 * (both - before), before - level**2])
            shares = [root.real for root in roots if abs(root.imag) < 1e-9 and -1e-12 <= root.real <= 1 + 1e-9]
            if shares:
                return self._between(end, min(max(min(shares), 0.0), 1.0))
        return None

    def at_kl(self, level: float) -> Point | None:
        """Return where the KL first reaches a level, in a straight line between the snapshots where it is measured."""
        known = [0, *(place + 1 for place in range(len(self.kl)) if np.isfinite(self.kl[place]))]
        values = np.concatenate([[0.0], self.kl])[known]
        for low, high, start, end in zip(known, known[1:], values, values[1:], strict=False):
            if start <= level <= end and end > start:
                share = low + (level - start) / (end - start) * (high - low)
                place = min(int(share), high - 1)
                return self._between(place + 1, share - place)
        return None

    def start(self) -> Point:
        """Return the base, where every path starts."""
        return self._between(1, 0.0)

    def _between(self, end: int, share: float) -> Point:
        """Return the point at a share of the way to snapshot `end` (1-based; 0 is the base)."""
        weights = np.zeros(len(self.steps) + 1)
        weights[end - 1 : end + 1] = 1 - share, share
        steps = np.concatenate([[0.0], self.steps])
        return Point(float(weights @ steps), weights[1:])


class Match(NamedTuple):
    """Two runs at one level; the columns of `tables/matched.csv` after the pair's."""

    at: str
    """`step`, `norm` or `KL`."""
    level: float
    end: bool
    """Whether the level is where the run that gets less far ends."""
    step_a: float
    step_b: float
    norm_a: float
    norm_b: float
    cosine: float
    cosine_sd: float
    note: str


def matched(
    a: Path, b: Path, weights: np.ndarray, weights_sd: np.ndarray, grids: dict[str, list[float]]
) -> list[Match]:
    """Return a pair of runs at equal step, equal norm and, where behaviour is measured on the way of both, equal KL.

    Parameters
    ----------
    weights, weights_sd
        <dW_s of a, dW_t of b> with its standard deviation by chance, (S, T).
    grids
        Levels of `NORM` and `KL` that all pairs are read at, besides the end of the run that gets less far.
    """
    found = [
        _match(
            STEP,
            float(step),
            step == min(a.steps[-1], b.steps[-1]),
            a,
            b,
            _on(a, step),
            _on(b, step),
            weights,
            weights_sd,
        )
        for step in a.steps
        if step in b.steps
    ]
    measures = {NORM: ([path.norms.max() for path in (a, b)], Path.at_norm)}
    if a.has_kl and b.has_kl:
        measures[KL] = ([np.nanmax(path.kl) for path in (a, b)], Path.at_kl)
    for at, (reached, locate) in measures.items():
        ends = {NORM: (a.norms[-1], b.norms[-1]), KL: (a.kl[-1], b.kl[-1])}[at]
        levels = {float(min(ends)): True} | {level: False for level in grids[at] if level <= max(reached)}
        for level, end in sorted(levels.items()):
            # A level of zero is that of a run which never moved: all are there before their first step.
            points = (locate(a, level), locate(b, level)) if level else (a.start(), b.start())
            lacking = next((place for place, point in enumerate(points) if point is None), None)
            if lacking is None:
                found.append(_match(at, level, end, a, b, *points, weights, weights_sd))  # type: ignore[arg-type]
            else:
                note = NEVER.format(run=(a, b)[lacking].run, value=reached[lacking])
                first, second = (math.nan if point is None else point.step for point in points)
                found.append(Match(at, level, end, first, second, math.nan, math.nan, math.nan, math.nan, note))
    return found


def _on(path: Path, step: float) -> Point:
    return Point(float(step), (path.steps == step).astype(float))


def _match(
    at: str,
    level: float,
    end: bool,
    a: Path,
    b: Path,
    point_a: Point,
    point_b: Point,
    weights: np.ndarray,
    sd: np.ndarray,
) -> Match:
    norm_a, norm_b = (
        math.sqrt(max(point.weights @ path.gram @ point.weights, 0)) for path, point in ((a, point_a), (b, point_b))
    )
    scale = norm_a * norm_b
    cosine = float(point_a.weights @ weights @ point_b.weights) / scale if scale else math.nan
    # A norm of dW_a dW_b', which mixes no more than the norms of its parts: the band is never too narrow.
    spread = float(point_a.weights @ sd @ point_b.weights) / scale if scale else math.nan
    note = "" if scale else ZERO
    return Match(at, level, bool(end), point_a.step, point_b.step, norm_a, norm_b, cosine, spread, note)


def levels(paths: Sequence[Path]) -> dict[str, list[float]]:
    """Return the levels that all pairs are read at: 0.1 x 2^k of the norm and 0.001 x 2^k of the KL, within what was reached."""
    kls = [path.kl[np.isfinite(path.kl)] for path in paths if path.has_kl]
    return {
        NORM: _doubling(0.1, [path.norms for path in paths]),
        KL: _doubling(0.001, kls),
    }


def _doubling(unit: float, reached: Sequence[np.ndarray]) -> list[float]:
    live = [values[values > 0] for values in reached if (values > 0).any()]
    if not live:
        return []
    low, high = min(values.min() for values in live), max(values.max() for values in live)
    first, last = math.ceil(math.log2(low / unit)), math.floor(math.log2(high / unit))
    return [unit * 2.0**power for power in range(first, last + 1)]
