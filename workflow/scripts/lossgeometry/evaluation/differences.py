"""Paired differences of accuracy between runs, and what they allow one to say: equal, different, or neither."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from lossgeometry.evaluation import statistics
from lossgeometry.evaluation.intervals import paired
from lossgeometry.evaluation.outcomes import Outcomes
from lossgeometry.evaluation.questions import Question

GREEDY, SAMPLED = "greedy", "sampled"
Graded = Mapping[tuple[str, str, str], Outcomes]
"""Outcomes by (run, benchmark, decoding)."""

EQUAL, DIFFERENT, CANNOT_TELL = "equal", "different", "cannot tell"
COLUMNS = [
    "run_a",
    "run_b",
    "benchmark",
    "decoding",
    "most_precise",
    "problems",
    "samples",
    "difference",
    "low",
    "high",
    "standard_error",
    "b",
    "c",
    "p",
    "p_holm",
    "question",
    "group",
    "family",
    "margin",
    "smallest_difference",
    "verdict",
    "reason",
]
MCNEMAR_COLUMNS = ["run_a", "run_b", "benchmark", "problems", "b", "c", "p", "p_holm", "question", "group", "family"]


def most_precise(decodings: Iterable[str]) -> str:
    """Return the decoding that claims are read on: samples average out what one greedy answer leaves to chance."""
    return SAMPLED if SAMPLED in set(decodings) else GREEDY


def judge_difference(low: float, high: float, p_holm: float, margin: float) -> tuple[str, str]:
    """Return the verdict on a paired difference, and its reason.

    Equal: the 95 % interval lies inside the margin on both sides, even where it excludes 0. Different: the interval
    excludes 0 and p does after Holm's correction, but the interval does not lie inside the margin. A large p alone says
    nothing.
    """
    if np.isnan(low) or np.isnan(p_holm):
        return CANNOT_TELL, "fewer than two problems"
    apart = (low > 0 or high < 0) and p_holm < statistics.ALPHA
    if -margin <= low and high <= margin:
        return EQUAL, "there is a difference, smaller than the margin" if apart else "the interval lies in the margin"
    if apart:
        return DIFFERENT, "the interval excludes 0"
    if low > 0 or high < 0:
        return CANNOT_TELL, "the interval excludes 0, but not after Holm's correction; raise evaluation.samples"
    return CANNOT_TELL, "the interval holds 0 and reaches beyond the margin; raise evaluation.samples"


def differences_table(graded: Graded, asked: Sequence[Question], margin: float) -> pd.DataFrame:
    """One row per question, group, pair, benchmark and decoding; columns `COLUMNS`.

    `difference` is accuracy of b minus that of a on the same problems, given the trained weights. Greedy answers: exact
    McNemar test, b and c the problems that only the first or only the second run solves. Samples: Wald's test of the mean
    over problems. `p_holm` corrects for the pairs of one question in one group, benchmark and decoding, whose number is
    `family`. `smallest_difference` is what the pair would have shown four times out of five at the level that the
    correction asks of its smallest p, from its own discordance or standard error.
    """
    places = list(dict.fromkeys((benchmark, decoding) for _, benchmark, decoding in graded))
    preferred = {name: most_precise(d for b, d in places if b == name) for name, _ in places}
    rows = []
    for question in asked:
        for benchmark, decoding in places:
            answers = {run: outcomes for (run, *place), outcomes in graded.items() if place == [benchmark, decoding]}
            pairs = [(a, b) for a, b in question.pairs if a in answers and b in answers]
            measured = [_measure(answers[a], answers[b], decoding, len(pairs)) for a, b in pairs]
            corrected = statistics.holm([row["p"] for row in measured])
            for (a, b), row, p_holm in zip(pairs, measured, corrected, strict=True):
                verdict, reason = judge_difference(row["low"], row["high"], p_holm, margin)
                rows.append(
                    {"run_a": a, "run_b": b, "benchmark": benchmark, "decoding": decoding}
                    | {"most_precise": decoding == preferred[benchmark], **row, "p_holm": p_holm}
                    | {"question": question.name, "group": question.group, "family": len(pairs), "margin": margin}
                    | {"verdict": verdict, "reason": reason}
                )
    return pd.DataFrame(rows, columns=COLUMNS)


def _measure(first: Outcomes, second: Outcomes, decoding: str, family: int) -> dict[str, Any]:
    values = second.correct.mean(axis=1) - first.correct.mean(axis=1)
    difference, low, high, error, p = paired(values)
    row = {"problems": len(values), "samples": first.correct.shape[1]}
    row |= {"difference": difference, "low": low, "high": high, "standard_error": error, "p": p}
    level = statistics.ALPHA / family
    if decoding == GREEDY:
        only_a, only_b = statistics.discordant(first.correct[:, 0], second.correct[:, 0])
        discordance = (only_a + only_b) / len(values)
        detectable = statistics.minimum_detectable_accuracy_difference(len(values), discordance, level)
        return row | {
            "b": only_a,
            "c": only_b,
            "p": statistics.mcnemar(only_a, only_b),
            "smallest_difference": detectable,
        }
    return row | {"smallest_difference": statistics.minimum_detectable_mean_difference(error, level)}


def mcnemar_table(differences: pd.DataFrame) -> pd.DataFrame:
    """The exact McNemar tests alone, one row per pair and benchmark: what the greedy answers say."""
    rows = differences[(differences.decoding == GREEDY) & ~differences.question.str.startswith("the paper's")]
    return rows[MCNEMAR_COLUMNS].astype({"b": int, "c": int})
