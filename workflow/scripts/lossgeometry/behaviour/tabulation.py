"""The tables of this stage, from what was measured token by token."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from lossgeometry.behaviour.texts import OTHER
from lossgeometry.evaluation.statistics import student_quantile

TENTHS = 10
TOP_SHARE = 0.05
"""The tokens that move most, as a share of all."""
EMPTY = "no such token"
UNDEFINED = (float("nan"), float("nan"), float("nan"), float("nan"))


class Row(NamedTuple):
    """One row of `tables/behaviour.csv`."""

    run: str
    text: str
    part: str
    measure: str
    value: float
    standard_error: float
    low: float
    high: float
    problems: int
    tokens: int
    note: str


class Distance(NamedTuple):
    """One row of `tables/behaviour_pairs.csv`."""

    run_a: str
    run_b: str
    jeffreys: float
    standard_error: float
    low: float
    high: float
    problems: int
    tokens: int


def tabulate_runs(runs: Sequence[str], files: Sequence[str | Path]) -> list[Row]:
    """Return the distance of every run from the base, by text, part of the answers and measure.

    Parameters
    ----------
    runs
        Their ids.
    files
        What `measurement.measure_behaviour` returned for each against the base, p being the base, as parquet.
    """
    return [row for run, file in zip(runs, files, strict=True) for row in _rows(run, pd.read_parquet(file))]


def tabulate_pairs(pairs: Sequence[tuple[str, str]], files: Sequence[str | Path]) -> list[Distance]:
    """Return the Jeffreys divergence, KL(a || b) + KL(b || a), of every pair on the base's answers."""
    distances = []
    for (a, b), file in zip(pairs, files, strict=True):
        tokens = pd.read_parquet(file)
        value, error, low, high = per_token(tokens["kl_pq"] + tokens["kl_qp"], tokens["problem_id"])
        distances.append(Distance(a, b, value, error, low, high, tokens["problem_id"].nunique(), len(tokens)))
    return distances


def _rows(run: str, measured: pd.DataFrame) -> Iterator[Row]:
    for text, tokens in measured.groupby("text", sort=False):
        values = {
            "kl_base_run": tokens["kl_pq"],
            "kl_run_base": tokens["kl_qp"],
            "log_p_change": tokens["log_q"] - tokens["log_p"],
            "entropy_change": tokens["entropy_q"] - tokens["entropy_p"],
        }
        for part, chosen in _parts(tokens, whole=text == OTHER):
            for measure, value in values.items():
                yield _row(run, str(text), part, measure, value[chosen], tokens["problem_id"][chosen])
        yield _top_row(run, str(text), tokens)


def _parts(tokens: pd.DataFrame, whole: bool) -> Iterator[tuple[str, pd.Series]]:
    """Yield the parts of texts: all of them, and unless that is the whole, right and wrong answers, and tenths of every
    answer from its start."""
    yield "all", pd.Series(True, tokens.index)
    if whole:
        return
    yield "right answers", tokens["correct"]
    yield "wrong answers", ~tokens["correct"]
    tenth = tokens["position"] * TENTHS // tokens["tokens"]
    for number in range(TENTHS):
        yield f"tenth {number + 1}", tenth == number


def _row(run: str, text: str, part: str, measure: str, values: pd.Series, problems: pd.Series) -> Row:
    estimate = per_token(values, problems)
    count = problems.nunique()
    note = "" if count > 1 else "fewer than two answers" if count else EMPTY
    return Row(run, text, part, measure, *estimate, count, len(values), note)


def per_token(values: pd.Series, problems: pd.Series) -> tuple[float, float, float, float]:
    """Return the mean over tokens, its standard error with problems as clusters, and the 95 % interval.

    The mean is a ratio of two sums over problems, so its error is that of the linearised ratio (Cochran 1977, section 6.4)
    with Student's quantile; NaN where fewer than two problems have a token.
    """
    sums = values.groupby(problems, sort=False).agg(["sum", "count"])
    count, total = len(sums), sums["count"].sum()
    if not count:
        return UNDEFINED
    mean = float(sums["sum"].sum() / total)
    if count < 2:
        return mean, *UNDEFINED[1:]
    residuals = sums["sum"] - mean * sums["count"]
    error = float(np.sqrt(count / (count - 1) * (residuals**2).sum()) / total)
    half = student_quantile(count) * error
    return mean, error, mean - half, mean + half


def _top_row(run: str, text: str, tokens: pd.DataFrame) -> Row:
    """Return the share of KL(base || run) that the twentieth of all tokens with the largest has, with its jackknife error
    over problems."""
    kl, problems = tokens["kl_pq"].to_numpy(), pd.factorize(tokens["problem_id"])[0]
    count = int(problems.max()) + 1
    value = top_share(kl)
    if np.isnan(value):
        return Row(run, text, "all", "top_share", *UNDEFINED, count, len(tokens), "nothing moved")
    without = np.array([top_share(kl[problems != problem]) for problem in range(count)])
    error = float(np.sqrt((count - 1) / count * ((without - without.mean()) ** 2).sum()))
    half = student_quantile(count) * error
    return Row(run, text, "all", "top_share", value, error, value - half, value + half, count, len(tokens), "")


def top_share(kl: np.ndarray) -> float:
    """Return the share of a sum that its largest twentieth of terms has; NaN for a sum of zero."""
    top = max(1, round(TOP_SHARE * len(kl)))
    total = kl.sum()
    return float(np.partition(kl, -top)[-top:].sum() / total) if total > 0 else float("nan")
