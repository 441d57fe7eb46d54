"""What was forgotten, and what of an update foretells it."""

import pandas as pd

from lossgeometry.findings.finding import PROBLEMS, Finding, Frames, between, decimal, points, view
from lossgeometry.findings.names import Names
from lossgeometry.forgetting.stage import OUTCOMES, PREDICTORS

NOTHING = 1e-9
"""Accuracy below which there is none."""


def statements(frames: Frames, names: Names) -> list[Finding]:
    """Return the findings of `forgetting` and `forgetting_law`."""
    if "forgetting" not in frames:
        return []
    found = _most(frames["forgetting"].dropna(subset="accuracy_change"), names)
    if "forgetting_law" in frames:
        law = frames["forgetting_law"].dropna(subset="r2_unseen")
        found += [_best(rows.iloc[0], names) for _, rows in law.groupby("outcome", sort=False)]
    return found


def _most(rows: pd.DataFrame, names: Names) -> list[Finding]:
    arms = [names.runs[run].arm if run in names.runs else "" for run in rows.run]
    others = rows[[arm == "learning_rate" for arm in arms]]
    rows = rows[[names.compared(run) is not None for run in rows.run]]
    if rows.empty:
        return []
    worst = rows.loc[rows.accuracy_change.idxmin()]
    worse = int((rows.accuracy_high < 0).sum())
    said = (
        f"In a skill that no rollout is about ({worst.benchmark}, {worst.decoding}), the interval of {worse} of {len(rows)} runs"
        f" lies below the base's accuracy, each at its own learning rate. Furthest below is {_change(worst, names)}."
        f"{_at_other_rates(others, names)}"
    )
    verdict = f"{worse} of {len(rows)} below the base"
    if worst.accuracy - worst.accuracy_change < NOTHING:
        said = (
            f"Of {worst.benchmark} ({worst.decoding}) the base solves nothing, so that no run can be seen to forget it"
            " by accuracy."
        )
        verdict = "cannot tell: the base solves nothing"
    return [
        Finding(
            id="forgetting",
            question="What was forgotten?",
            statement=said,
            value=worst.accuracy_change,
            low=worst.accuracy_low,
            high=worst.accuracy_high,
            interval=PROBLEMS,
            unit="share of problems",
            verdict=verdict,
            not_shown="skills that were not asked about",
            section="forgetting",
            rank=10,
        )
    ]


def _change(row: pd.Series, names: Names) -> str:
    ends = between(row.accuracy_low, row.accuracy_high, points)
    return f"{names(row.run)}, {points(row.accuracy_change)} points ({ends})"


def _at_other_rates(rows: pd.DataFrame, names: Names) -> str:
    if rows.empty:
        return ""
    worst = rows.loc[rows.accuracy_change.idxmin()]
    return f" At other rates that of {int((rows.accuracy_high < 0).sum())} of {len(rows)} does, furthest {_change(worst, names)}."


def _best(row: pd.Series, names: Names) -> Finding:
    outcome = f"{OUTCOMES[row.outcome][0].lower()}{OUTCOMES[row.outcome][1:]}"
    over = f"over {row.runs:.0f} runs of {row.methods:.0f} methods"
    by = f"the {PREDICTORS[row.predictor]} foretells it best of all properties, with R² {decimal(row.r2_unseen, 2)}"
    worse = " and so no better than their mean would" if row.r2_unseen <= 0 else ""
    one = "" if pd.isna(row.r2_least) else names.title(row.rests_on)
    without = f"; without {one} it is {decimal(row.r2_least, 2)}" if one else ""
    verdict = "better than the mean"
    if row.r2_unseen <= 0:
        verdict = "none is better than the mean"
    elif not row.r2_least > 0:
        verdict = f"cannot tell: it rests on {one}" if one else "cannot tell: too few methods"
    return Finding(
        id=f"forgetting.{row.outcome}",
        question=f"What foretells the {outcome}?",
        statement=f"Of the {outcome}, {by} on methods left out{worse}, {over}{without}.",
        value=row.r2_unseen,
        unit="R² of unseen methods",
        chance="0: no better than the mean of the other methods",
        verdict=verdict,
        not_shown="a cause: the best of several properties was taken, and properties go together",
        section="forgetting",
        view=view(predictor=row.predictor),
    )
