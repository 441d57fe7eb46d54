"""Which property of an update predicts what it forgets: one straight line each, tested on methods that it has not seen."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

LEAST_METHODS = 3
NAN = float("nan")
CONSTANT = "it is the same for every run"
TOO_FEW = f"fewer than {LEAST_METHODS} methods"
EVERY, COMMON = "every run with it", "runs with all predictors"


class Law(NamedTuple):
    """One row of `tables/forgetting_law.csv`."""

    outcome: str
    runs_taken: str
    predictor: str
    runs: int
    methods: int
    slope: float
    r2: float
    r2_unseen: float
    r2_least: float
    rests_on: str
    spearman: float
    note: str


def laws(
    outcomes: Mapping[str, Sequence[float]], predictors: Mapping[str, Sequence[float]], methods: Sequence[str]
) -> list[Law]:
    """Return, for every outcome, how well each predictor alone foretells it, the best first.

    Each predictor is taken over every run that has it, and over the runs that have all predictors, where they can be
    compared with each other.

    Parameters
    ----------
    outcomes, predictors
        By name, one value per run; NaN where a run has none.
    methods
        The method of every run; runs of one method are left out together.
    """
    table = {name: np.asarray(values, float) for name, values in predictors.items()}
    there = {name: values for name, values in table.items() if np.isfinite(values).any()}
    common = np.logical_and.reduce([np.isfinite(values) for values in there.values()] or [np.zeros(len(methods), bool)])
    rows = []
    for outcome, values in outcomes.items():
        y = np.asarray(values, float)
        if not np.isfinite(y).any():
            continue
        for taken, among in ((COMMON, common), (EVERY, np.ones(len(methods), bool))):
            found = [_law(outcome, taken, name, x, y, methods, among) for name, x in there.items()]
            rows += sorted(found, key=lambda row: -row.r2_unseen if np.isfinite(row.r2_unseen) else np.inf)
    return rows


def _law(
    outcome: str, taken: str, predictor: str, x: np.ndarray, y: np.ndarray, methods: Sequence[str], among: np.ndarray
) -> Law:
    kept = among & np.isfinite(x) & np.isfinite(y)
    x, y, groups = x[kept], y[kept], np.array(methods)[kept]
    count = len(set(groups))
    told = (outcome, taken, predictor, len(x), count)
    if count < LEAST_METHODS:
        return Law(*told, NAN, NAN, NAN, NAN, "", NAN, TOO_FEW)
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return Law(*told, NAN, NAN, NAN, NAN, "", NAN, CONSTANT)
    slope, intercept = line(x, y)
    inside = 1 - float(np.sum((y - slope * x - intercept) ** 2) / np.sum((y - y.mean()) ** 2))
    unseen = r2_of_unseen_methods(x, y, groups)
    note = "" if np.isfinite(unseen) else "without one method, it or the outcome is the same for every run"
    least = least_without_one_method(x, y, groups)
    return Law(*told, slope, inside, unseen, *least, float(stats.spearmanr(x, y).statistic), note)


def line(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Return slope and intercept of the least-squares line; NaN where x does not vary."""
    spread = x - x.mean()
    size = float(spread @ spread)
    slope = float(spread @ (y - y.mean())) / size if size else NAN
    return slope, float(y.mean() - slope * x.mean())


def r2_of_unseen_methods(x: np.ndarray, y: np.ndarray, methods: np.ndarray) -> float:
    """Return 1 minus the squared error of lines fitted without each method, over that of means taken without it.

    1 where a line of the others foretells every method; below 0 where their mean foretells better. NaN where x does not
    vary without a method, or means foretell without error.
    """
    missed = plain = 0.0
    for method in dict.fromkeys(methods):
        out = methods == method
        slope, intercept = line(x[~out], y[~out])
        missed += float(np.sum((y[out] - slope * x[out] - intercept) ** 2))
        plain += float(np.sum((y[out] - y[~out].mean()) ** 2))
    return 1 - missed / plain if plain else NAN


def least_without_one_method(x: np.ndarray, y: np.ndarray, methods: np.ndarray) -> tuple[float, str]:
    """Return the lowest of `r2_of_unseen_methods` when one method is not in the data at all, and that method.

    One method far from all others, on both axes, makes any line foretell well: what is left without it says whether the
    others lie on it too. NaN and no method where fewer than `LEAST_METHODS` would be left, or it is undefined without every one.
    """
    names = list(dict.fromkeys(methods))
    if len(names) <= LEAST_METHODS:
        return NAN, ""
    rests = [
        (r2_of_unseen_methods(x[kept], y[kept], methods[kept]), str(name))
        for name in names
        for kept in [methods != name]
    ]
    return min((one for one in rests if np.isfinite(one[0])), default=(NAN, ""))
