"""Predicted cosines beside trained ones, pair by pair and over all pairs. Light."""

from collections.abc import Mapping, Sequence
from itertools import permutations
from math import factorial

import numpy as np
import pandas as pd
from scipy import stats

from lossgeometry.geometry.chance import WIDTH
from lossgeometry.settings.audit import INITIALISATION

AS_PREDICTED, MISSED, UNDEFINED = "as predicted", "missed", "undefined"
PREDICTORS = ("cosine", "corrected", "adam")
MANY_PASSES = 4
"""Passes over its rows from which a loss is said to have gone far beyond its first gradient."""
MOST_PERMUTATIONS = 5040
LEAST_PAIRS, LEAST_LEFT = 3, 6
COMPOSITION_COLUMNS = [
    "run_a",
    "run_b",
    "loss_a",
    "loss_b",
    "share",
    "curve",
    "predicted",
    "trained",
    "difference",
    "note",
]
BETWEEN = "no run: predicted alone"
NO_CURVE = "the method is not trained on all rollouts, so that there is no curve"


def predictions(
    audit: pd.DataFrame,
    noise: pd.DataFrame,
    geometry: pd.DataFrame,
    pairs: Sequence[Mapping[str, str]],
    largest_miss: float,
    registered: str,
) -> pd.DataFrame:
    """Return one row per pair of runs; its columns are described in `audit/stage.py`.

    Parameters
    ----------
    audit, noise, geometry
        The tables of these names.
    pairs
        {"run_a", "run_b", "loss_a", "loss_b", "kind"}, and on a composition "share", "curve_a", "curve_b".
    registered
        Digest of the table `audit`.
    """
    at_start = audit[(audit.point == INITIALISATION) & (audit.scope == "global")]
    predicted = {frozenset((row.loss_a, row.loss_b)): row for row in at_start.itertuples()}
    passes = noise[noise.point == INITIALISATION].set_index("loss").passes
    whole = geometry[(geometry.scope == "global") & (geometry.metric == "cosine")]
    trained = {(row.run_a, row.run_b): row.value for row in whole.itertuples()}
    rows = []
    for pair in pairs:
        before = predicted[frozenset((pair["loss_a"], pair["loss_b"]))]
        after = trained[pair["run_a"], pair["run_b"]]
        difference = after - before.cosine
        missed = abs(difference) > largest_miss
        verdict = UNDEFINED if np.isnan(difference) else MISSED if missed else AS_PREDICTED
        rows.append(
            {name: pair[name] for name in ("run_a", "run_b", "loss_a", "loss_b", "kind")}
            | {"predicted": before.cosine, "corrected": before.corrected, "corrected_se": before.corrected_se}
            | {"adam": before.adam, "trained": after, "difference": difference, "verdict": verdict}
            | {"reason": _reason(pair, passes, before, after) if missed else "", "registered": registered}
        )
    return pd.DataFrame(rows)


def compositions(table: pd.DataFrame, regime: pd.DataFrame, pairs: Sequence[Mapping]) -> pd.DataFrame:
    """Return the pairs of runs on compositions, in both orders, beside the curves that all rollouts predict.

    The rest of those curves follows, in rows without runs.

    Parameters
    ----------
    table
        What `predictions` returned for these pairs.
    regime
        The table of this name.
    """
    here = regime[regime.point == INITIALISATION]
    curves = {(row.loss_a, row.loss_b, row.share): row.cosine for row in here.itertuples()}
    rows = []
    for row, pair in zip(table.itertuples(), pairs, strict=True):
        if "share" not in pair:
            continue
        for a, b in (("a", "b"), ("b", "a")):
            losses = pair[f"curve_{a}"], pair[f"curve_{b}"]
            curve = curves.get((*losses, pair["share"]), np.nan)
            rows.append(
                {"run_a": pair[f"run_{a}"], "run_b": pair[f"run_{b}"], "loss_a": losses[0], "loss_b": losses[1]}
                | {"share": pair["share"], "curve": curve, "predicted": row.predicted, "trained": row.trained}
                | {"difference": row.trained - curve, "note": "" if losses[0] and losses[1] else NO_CURVE}
            )
    trained = {(row["loss_a"], row["loss_b"], row["share"]) for row in rows}
    drawn = {(a, b) for a, b, _ in trained}
    rows += [
        {"loss_a": a, "loss_b": b, "share": share, "curve": cosine, "note": BETWEEN}
        for (a, b, share), cosine in curves.items()
        if (a, b) in drawn and (a, b, share) not in trained
    ]
    return pd.DataFrame(rows, columns=COMPOSITION_COLUMNS)


def _reason(pair: Mapping[str, str], passes: pd.Series, before, after: float) -> str:
    """Return what is known of a pair that could part its training from its first gradients."""
    many = [name for name in (pair["loss_a"], pair["loss_b"]) if passes.get(name, 0) >= MANY_PASSES]
    told = [f"{name} passes {passes[name]:.0f} times over its rows" for name in many]
    if before.corrected_se * WIDTH > abs(after - before.corrected):
        told.append("inside the interval that the prompts leave for the gradients of all prompts")
    return "; ".join(told) or "training itself: steps after the first, whose gradients the initialisation does not know"


def agreement(table: pd.DataFrame) -> pd.DataFrame:
    """Return how well predictions agree with trained cosines, one row per kind of pair and predictor.

    Pairs share losses, so that they are not independent. The interval of Spearman's correlation is a jackknife that leaves out
    one loss at a time, with Student's t, cut at -1 and 1. p is Mantel's: the share of all ways to rename the trained losses
    under which the correlation is as large.
    """
    rows = []
    for kind, pairs in table.groupby("kind", sort=False):
        defined = pairs.dropna(subset=["predicted", "trained"])
        for name in PREDICTORS:
            column = "predicted" if name == "cosine" else name
            rows.append({"kind": kind, "predictor": name} | _agreement(defined.dropna(subset=[column]), column))
    columns = ["kind", "predictor", "pairs", "losses", "spearman", "spearman_low", "spearman_high", "p"]
    return pd.DataFrame(rows, columns=[*columns, "pearson", "mean_difference", "missed", "note"])


def _agreement(pairs: pd.DataFrame, column: str) -> dict:
    losses = sorted({*pairs.loss_a, *pairs.loss_b})
    difference, missed = (pairs.trained - pairs[column]).abs().mean(), int((pairs.verdict == MISSED).sum())
    found = {"pairs": len(pairs), "losses": len(losses), "mean_difference": float(difference), "missed": missed}
    if len(pairs) < LEAST_PAIRS:
        return found | {"note": f"a correlation takes {LEAST_PAIRS} pairs"}
    value = _spearman(pairs, column)
    low, high = _interval(pairs, column, losses, value)
    return found | {
        "spearman": value,
        "spearman_low": low,
        "spearman_high": high,
        "p": _mantel(pairs, column, losses, value),
        "pearson": float(stats.pearsonr(pairs[column], pairs.trained)[0]),
        "note": "" if np.isfinite(low) else f"no interval: without one loss, fewer than {LEAST_LEFT} pairs are left",
    }


def _interval(pairs: pd.DataFrame, column: str, losses: Sequence[str], value: float) -> tuple[float, float]:
    """Return the 95 % interval of Spearman's correlation; NaN where too few pairs are left without one loss."""
    kept = [pairs[(pairs.loss_a != one) & (pairs.loss_b != one)] for one in losses]
    if min(map(len, kept)) < LEAST_LEFT:
        return np.nan, np.nan
    left_out = np.array([_spearman(rest, column) for rest in kept])
    number = len(losses)
    error = np.sqrt((number - 1) / number * np.sum((left_out - left_out.mean()) ** 2))
    half = stats.t.ppf(0.975, number - 1) * error
    return max(value - half, -1.0), min(value + half, 1.0)


def _spearman(pairs: pd.DataFrame, column: str) -> float:
    return float(stats.spearmanr(pairs[column], pairs.trained)[0])


def _mantel(pairs: pd.DataFrame, column: str, losses: Sequence[str], value: float) -> float:
    """Return the share of renamings of the losses with a correlation at least as large; all, or as many drawn at random."""
    trained = {frozenset(ends): row for *ends, row in pairs[["loss_a", "loss_b", "trained"]].itertuples(index=False)}
    if factorial(len(losses)) <= MOST_PERMUTATIONS:
        orders = list(permutations(losses))
    else:
        draw = np.random.default_rng(0)
        orders = [tuple(losses), *(tuple(draw.permutation(losses)) for _ in range(MOST_PERMUTATIONS - 1))]
    hits = total = 0
    ranks = stats.rankdata(pairs[column])
    for order in orders:
        renamed = dict(zip(losses, order, strict=True))
        other = [
            trained.get(frozenset((renamed[a], renamed[b]))) for a, b in zip(pairs.loss_a, pairs.loss_b, strict=True)
        ]
        if None in other:  # a pair that was not compared
            continue
        total += 1
        hits += np.corrcoef(ranks, stats.rankdata(other))[0, 1] >= value - 1e-9
    return hits / total
