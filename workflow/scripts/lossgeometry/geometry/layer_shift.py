"""Chance levels of the input side from the two files themselves: layer l of one update against layer l' of the other.

All adapters of a base read inputs that point mostly one way, and A moves there: the leading input directions of
unrelated updates then agree although nothing that was learned does. To turn directions inside the row spaces, as
`row_spaces` does, is to forget this. Whether that matters is itself measured: pairs of neighbouring layers of the two
updates, which share nothing but such a lean, must show what the null model says (`Lean`). Where they do not, and where
the null model says nothing since all directions of the row spaces are compared, the level is that of shifted layers:
module l of one update against module l + s of the other, of equal projection and shape.

y[s, l], the statistic of the pair (l, l + s), is modelled as an effect of l in the one update + an effect of l + s in the
other + rest. What module l should show by chance is the sum of its two effects; the spread is that of the rest, enlarged
by the error of the effects.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from lossgeometry.geometry.angles import principal_angles
from lossgeometry.geometry.nulls import UNDEFINED, Null, turned_product
from lossgeometry.geometry.pooling import Angle, Mean, Measurement, Ratio
from lossgeometry.geometry.scopes import Key
from lossgeometry.updates.svd import CompactSVD

MOST_SHIFTS = 8
LEAST_LAYERS = 4
LEAN = 3.0
"""Standard errors by which shifted layers must exceed the null model before it is given up."""
NO_ANGLE = 1e-5
"""Degrees below which an angle from its cosine is rounding."""
SHIFTED = "inputs of all layers lean one way: chance is the level of shifted layers"
COMPLETE = "all input directions compared: chance is the level of shifted layers, which a common A exceeds by itself"
TOO_FEW = f"no chance level: shifting layers takes {LEAST_LAYERS} of equal shape"

Pair = tuple[CompactSVD, CompactSVD]
Measured = dict[Key, Measurement | str]


class Lean:
    """Test of the null model on neighbouring layers of equal projection and shape, one module at a time."""

    def __init__(self) -> None:
        self._last: dict[tuple, Pair] = {}
        self._scores: dict[tuple, list[float]] = {}

    def add(self, group: tuple, a: CompactSVD, b: CompactSVD) -> None:
        """Compare each update of a module with the other one of the module before it in its group."""
        before, self._last[group] = self._last.get(group), (a, b)
        if before is None:
            return
        for x, y in ((a, before[1]), (before[0], b)):
            overlap = x.v.T @ y.v
            shape = float(np.sum(overlap**2)), float(np.sum((overlap @ overlap.T) ** 2))
            null = turned_product(x.s**2, y.s**2, *shape, overlap.shape)
            if null.sd:
                found = float(np.sum((x.s[:, None] * overlap * y.s) ** 2))
                self._scores.setdefault(group, []).append((found - null.mean) / null.sd)

    def found(self, group: tuple) -> bool:
        """Return whether the updates of a group lean to common inputs, whatever the layer."""
        scores = self._scores.get(group, [])
        return sum(scores) > LEAN * math.sqrt(len(scores))


def shift_levels(measured: Sequence[Measured], leans: bool, read: Callable[[], Iterable[Pair]]) -> None:
    """Replace, in one group of modules, the chance levels that turning inside row spaces gets wrong or cannot give.

    Parameters
    ----------
    measured
        What was measured on the group's modules, in order of layers; changed in place.
    leans
        Whether the group's updates lean to common inputs.
    read
        Returns the two updates of each module, called only where they are needed.
    """
    keys = [key for key, item in measured[0].items() if key[1] == "input" and not isinstance(item, str)]
    keys = [key for key in keys if leans or not all(_spread(items[key]) for items in measured)]
    if not keys:
        return
    if len(measured) < LEAST_LAYERS:
        for items in measured:
            items.update({key: _with_level(items[key], UNDEFINED, np.full(2, math.nan), TOO_FEW) for key in keys})
        return
    pairs = list(read())
    size = len(pairs)
    shifts = _shifts(size)
    found = [[_statistics(pairs[i][0], pairs[(i + s) % size][1], keys) for i in range(size)] for s in shifts]
    for key in keys:
        levels, sd, rest = _fit(np.array([[values[key] for values in row] for row in found]), shifts)
        turns = all(_spread(items[key]) for items in measured)
        turned = np.mean([_expected(items[key]) for items in measured])
        # A shared A makes unrelated updates more alike than any shift shows.
        if turns and (turned - levels.mean()) * (-1 if key[0].startswith("angle") else 1) > sd:
            continue
        for items, level in zip(measured, levels, strict=True):
            items[key] = _with_level(items[key], Null(float(level), sd), rest, SHIFTED if turns else COMPLETE)


def _statistics(a: CompactSVD, b: CompactSVD, keys: Sequence[Key]) -> dict[Key, float]:
    """Return what `measure_module` measures on the input side."""
    overlap = a.v.T @ b.v
    gram = np.sum((a.s[:, None] * overlap * b.s) ** 2) / math.sqrt(np.sum(a.s**4) * np.sum(b.s**4))
    found = {("gram_alignment", "input", 0): float(gram), ("top_direction", "input", 1): float(abs(overlap[0, 0]))}
    for k in {k for metric, _, k in keys if metric == "grassmann" or metric.startswith("angle")}:
        angles = principal_angles(a.v[:, :k], b.v[:, :k], overlap[:k, :k])
        found["angle_first", "input", k], found["angle_last", "input", k] = float(angles[0]), float(angles[-1])
        found["grassmann", "input", k] = float(np.sum(overlap[:k, :k] ** 2)) / k
    return found


def _shifts(size: int) -> np.ndarray:
    """Return shifts that are as many backwards as forwards; 1 and 2 among them relate all modules to each other."""
    if size <= MOST_SHIFTS + 1:
        return np.arange(1, size)
    middle = np.linspace(3, size - 3, MOST_SHIFTS - 4).round().astype(int)
    return np.concatenate([[1, 2], middle, [size - 2, size - 1]])


def _fit(y: np.ndarray, shifts: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
    """Return the level of every module, (modules,), its standard deviation, and the rests in units of theirs.

    Least squares; a module's level has the leverage of its own row and column, the same for all by symmetry.

    Parameters
    ----------
    y
        Statistic of module l of one update and l + s of the other, (shifts, modules).
    """
    count, size = y.shape
    row, one = np.tile(np.arange(size), count), np.eye(size)
    column = (row + np.repeat(shifts, size)) % size
    design, own = np.hstack([one[row], one[column]]), np.hstack([one, one])
    inverse = np.linalg.pinv(design)
    effects = inverse @ y.ravel()
    rest = y.ravel() - design @ effects
    sd = math.sqrt(np.sum(rest**2) / (count * size - 2 * size + 1))
    leverage = float(np.sum((own[0] @ inverse) ** 2))
    return own @ effects, sd * math.sqrt(1 + leverage), rest / rest.std() if rest.std() else rest


def _spread(item: Any) -> float:
    """Return the standard deviation of a chance level."""
    if isinstance(item, Angle):
        spread = float(np.ptp(item.draws))
        return spread if spread > NO_ANGLE else 0.0
    return item.nulls[0].sd if isinstance(item, Ratio) else item.null.sd


def _expected(item: Any) -> float:
    if isinstance(item, Angle):
        return float(item.draws.mean())
    return item.nulls[0].mean / _scale(item) if isinstance(item, Ratio) else item.null.mean


def _scale(item: Ratio) -> float:
    return math.sqrt(item.norm2_x * item.norm2_y)


def _with_level(item: Any, level: Null, rest: np.ndarray, note: str) -> Measurement:
    """Return a measurement with another chance level, of the cosine in a `Ratio`."""
    if isinstance(item, Angle):
        draws = level.mean + level.sd * rest
        return item._replace(draws=np.clip(draws, 0, 90), note=note)
    if isinstance(item, Ratio):
        scaled = Null(*(part * _scale(item) for part in level))
        return item._replace(nulls=(scaled,), note=note)
    return item._replace(null=level, note=note) if isinstance(item, Mean) else item
