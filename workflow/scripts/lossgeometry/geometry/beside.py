"""What a similarity of two updates is read beside: that of a control to the same runs, and that of a run to its reshuffle.

Chance says what unrelated updates give. A control, trained on the same texts with shuffled verdicts, says what training on
this base gives whatever the loss; an order replicate, one method from one initialisation with the data in another order,
says how alike two runs are that differ in nothing that a loss could explain.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypedDict

import numpy as np
import pandas as pd

Pair = tuple[str, str]
KEY = ["scope", "module", "layer", "projection", "metric", "side", "k"]
DISTANCES = ("angle_first", "angle_last", "orthogonal_fraction", "relative_residual")
"""Measurements that are smaller where two updates are more alike."""
OF_STATES = ("debiased", "debiased_standardised", "biased_prompts", "shift_cosine")
SIMILARITIES = ("cosine", "gram_alignment", "grassmann", "top_direction", *OF_STATES, *DISTANCES)
OTHER_START, EACH_OTHER = "the runs differ in their initialisation", "the two are replicates of each other"
"""Why there is nothing to judge."""
WITHIN, BEYOND, CANNOT_TELL = "within a reshuffle", "beyond a reshuffle", "cannot tell"


class RunEntry(TypedDict):
    """What tells a run apart; seeds are None where it was not trained here."""

    method: str
    learning_rate: float | None
    seed: str
    init: int | None
    order: int | None
    control: bool


class Beside(NamedTuple):
    """The pairs that one pair is read beside, among those compared."""

    controls: list[Pair]
    replicates: list[Pair]
    """Order replicates of either method at its learning rate, from whatever initialisation."""
    stand_ins: list[Pair]
    """Where there is none: those of other methods, which show the size of such noise and allow no verdict."""
    reason: str
    """Why there is no replicate of one or both of the methods; empty where nothing lacks."""


def pairs_beside(pair: Pair, compared: Sequence[Pair], runs: Mapping[str, RunEntry]) -> Beside:
    """Return the control's pairs with either run, and the order replicates of their methods at their learning rates.

    Controls start where the two runs do. Of runs from two initialisations only the control's own two seeds are in the
    same position, and no replicate is: reshuffling is a matter of one initialisation.
    """
    ends = [runs[run] for run in pair]
    if any(end["init"] is None or end["control"] for end in ends):
        return Beside([], [], [], "")
    shared = ends[0]["init"] == ends[1]["init"]
    controls = [other for other in compared if _of_control(other, pair, runs) and shared == _one_start(other, runs)]
    if not shared:
        return Beside(controls, [], [], OTHER_START)
    if _reshuffled(pair, runs):
        return Beside(controls, [], [], EACH_OTHER)
    everyone = [other for other in compared if _reshuffled(other, runs)]
    wanted = dict.fromkeys(map(_trained_as, ends))
    own = [other for other in everyone if _trained_as(runs[other[0]]) in wanted]
    there = {_trained_as(runs[run]) for run, _ in own}
    absent = [method for method, rate in wanted if (method, rate) not in there]
    keys = " and ".join(f"methods.{method}.further_seeds" for method in absent)
    seed = f"{{init: {ends[0]['init']}, order: {(ends[0]['order'] or 0) + 1}}}"
    reason = f"no order replicate of {' and '.join(absent)}; add {seed} to {keys}" if absent else ""
    return Beside(controls, own, [] if own else everyone, reason)


def _trained_as(run: RunEntry) -> tuple[str, float | None]:
    return run["method"], run["learning_rate"]


def _one_start(pair: Pair, runs: Mapping[str, RunEntry]) -> bool:
    return runs[pair[0]]["init"] == runs[pair[1]]["init"]


def _reshuffled(pair: Pair, runs: Mapping[str, RunEntry]) -> bool:
    """Return whether two trained runs differ in the order of the data alone."""
    a, b = (runs[run] for run in pair)
    alike = _trained_as(a) == _trained_as(b) and a["init"] == b["init"] and a["init"] is not None
    return alike and a["order"] != b["order"] and not a["control"]


def _of_control(other: Pair, pair: Pair, runs: Mapping[str, RunEntry]) -> bool:
    """Return whether a pair is a control's with one of the two runs, or the control's with itself under another seed."""
    controls = [run for run in other if runs[run]["control"] and runs[run]["init"] is not None]
    return len(controls) == 2 or (len(controls) == 1 and bool(set(other) & set(pair)))


def most_alike(values: Sequence[pd.Series]) -> pd.Series:
    """Return, for every measurement, the value of those pairs that are the most alike; NaN where all are undefined."""
    together = pd.concat(values, axis=1)
    less = together.index.get_level_values("metric").isin(DISTANCES)
    return together.max(axis=1).where(~less, together.min(axis=1))


def values_beside(
    index: pd.MultiIndex, beside: Beside, values: Mapping[Pair, pd.Series]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the control's and the replicates' values of one pair's rows: of the most alike control, and the mean replicate.

    Parameters
    ----------
    index
        `KEY` of the pair's rows, or any with a level `metric`.
    values
        Of every pair, its values by `KEY`.
    """
    similar = index.get_level_values("metric").isin(SIMILARITIES)
    found = []
    for pairs, pooled in ((beside.controls, most_alike), (beside.replicates or beside.stand_ins, _mean)):
        column = pooled([values[pair] for pair in pairs]).reindex(index).to_numpy() if pairs else np.nan
        found.append(np.where(similar, column, np.nan))
    return found[0], found[1]


def _mean(values: Sequence[pd.Series]) -> pd.Series:
    return pd.concat(values, axis=1).mean(axis=1)


def judge_reshuffle(draws: np.ndarray | None, replicates: Sequence[np.ndarray | None], reason: str) -> tuple[str, str]:
    """Return whether two runs are further apart than reshuffling sets one of them from itself, and why it cannot be told.

    Empty where there is nothing to judge.

    Within: the cosine is no smaller than that of every replicate. Beyond: it is smaller than all of them, and both methods
    have one, since the noise of either may part two runs. Both by the 95 % interval of the difference, paired over layers.

    Parameters
    ----------
    draws
        The pair's cosine in every bootstrap sample of the layers; None with fewer than two layers.
    replicates
        The same of each order replicate, over the same samples.
    reason
        Why a replicate lacks; empty where both methods have one.
    """
    if not replicates:
        return "" if reason in ("", OTHER_START, EACH_OTHER) else CANNOT_TELL, reason
    if draws is None or any(other is None for other in replicates):
        return CANNOT_TELL, "it needs two layers"
    ends = [np.percentile(draws - other, [2.5, 97.5]) for other in replicates]
    if all(low >= 0 for low, _ in ends):
        return WITHIN, ""
    if all(high < 0 for _, high in ends):
        return (CANNOT_TELL, reason) if reason else (BEYOND, "")
    return CANNOT_TELL, "the cosines of the pair and of a reshuffle differ by less than layers do"
