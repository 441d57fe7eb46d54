"""The rules of the claims about accuracy: they read the verdicts of tables/differences.csv, seed by seed."""

import math
from collections.abc import Callable
from typing import Any

import pandas as pd

from lossgeometry.claims.evidence import Evidence
from lossgeometry.claims.findings import CANNOT_TELL, DIFFERS, SAME, Entry, Finding, Reading, conclude
from lossgeometry.evaluation.differences import CANNOT_TELL as UNDECIDED
from lossgeometry.evaluation.differences import DIFFERENT, EQUAL
from lossgeometry.evaluation.questions import (
    CLAIM_BEST,
    CLAIM_BEST_MATCHED,
    CLAIM_EQUAL,
    CLAIM_KEPT,
    EQUAL_FAMILY,
)

ONE_SEED = "one seed only; add a second to seeds"


def equal_accuracy(evidence: Evidence, entry: Entry, matched: bool) -> Finding:
    """Same: all three pairs are equal in every seed. Differs: one pair is different, the same way, in every seed."""
    rows = evidence.differences(CLAIM_EQUAL)
    whole = math.comb(len(EQUAL_FAMILY), 2)
    apart = _in_every_group(rows[rows.verdict == DIFFERENT], rows)

    def judge(tests: pd.DataFrame) -> tuple[str, str]:
        if apart:
            return DIFFERS, ""
        if (tests.verdict == EQUAL).all():
            return (
                (SAME, "") if len(tests) == whole else (CANNOT_TELL, "not all three lie at this seed (methods.*.seeds)")
            )
        return CANNOT_TELL, _unclear(tests)

    return _finding(rows, judge)


def dpo_best(evidence: Evidence, entry: Entry, matched: bool) -> Finding:
    """Same: DPO is better than every other, in every seed. Differs: one other is equal or better in every seed."""
    rows = evidence.differences(CLAIM_BEST_MATCHED if matched else CLAIM_BEST)
    # A difference is DPO's accuracy minus the other's.
    beaten = (rows.verdict == DIFFERENT) & (rows.difference > 0)
    matches = (rows.verdict == EQUAL) | ((rows.verdict == DIFFERENT) & (rows.difference < 0))
    refuted = _names_in_every_group(rows[matches], rows)

    def judge(tests: pd.DataFrame) -> tuple[str, str]:
        if refuted:
            return DIFFERS, ""
        return (SAME, "") if beaten[tests.index].all() else (CANNOT_TELL, _unclear(tests[~beaten[tests.index]]))

    return _finding(rows, judge)


def on_policy_accuracy(evidence: Evidence, entry: Entry, matched: bool) -> Finding:
    """Same: every on-policy method is equal to the base in every seed. Differs: one is different, the same way, in all."""
    rows = evidence.differences(CLAIM_KEPT)
    apart = _in_every_group(rows[rows.verdict == DIFFERENT], rows)

    def judge(tests: pd.DataFrame) -> tuple[str, str]:
        if apart:
            return DIFFERS, ""
        return (SAME, "") if (tests.verdict == EQUAL).all() else (CANNOT_TELL, _unclear(tests))

    return _finding(rows, judge)


def _pair(row: Any) -> str:
    """Return what a difference is of, in the order in which it is taken."""
    return f"{row.run_b.partition('.')[0]} less {row.run_a.partition('.')[0]}"


def _names_in_every_group(chosen: pd.DataFrame, rows: pd.DataFrame) -> set[str]:
    """Return the pairs of methods that are among the chosen rows of every group."""
    by_group = [{_pair(row) for row in chosen[chosen.group == group].itertuples()} for group in rows.group.unique()]
    return set.intersection(*by_group)


def _in_every_group(chosen: pd.DataFrame, rows: pd.DataFrame) -> set[str]:
    """The same for pairs that differ in the same direction everywhere."""
    up, down = chosen[chosen.difference > 0], chosen[chosen.difference < 0]
    return _names_in_every_group(up, rows) | _names_in_every_group(down, rows)


def _unclear(tests: pd.DataFrame) -> str:
    """Say which pairs stand in the way, and why."""
    said = [
        f"{_pair(row)} {row.verdict}" + f" ({row.reason})" * (row.verdict == UNDECIDED) for row in tests.itertuples()
    ]
    return ", ".join(said)


def _finding(rows: pd.DataFrame, judge: Callable[[pd.DataFrame], tuple[str, str]]) -> Finding:
    readings = []
    for group, tests in rows.groupby("group", sort=False):
        verdict, reason = judge(tests)
        found = [
            f"{_pair(row)} {row.difference:+.3f} ({row.low:+.3f} to {row.high:+.3f}), {row.verdict}"
            for row in tests.itertuples()
        ]
        readings.append(Reading(group, math.nan, ", ".join(found), verdict, reason))
    first = rows.iloc[0]
    largest = float(rows.smallest_difference.max())
    named = f"{first.decoding}, {first.benchmark}"
    finding = conclude(readings, ONE_SEED, largest, named)
    return finding._replace(band=f"95 % intervals, margin ±{first.margin:g}")
