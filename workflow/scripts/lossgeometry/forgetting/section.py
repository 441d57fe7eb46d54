"""What the summary says about forgetting."""

from collections.abc import Mapping

import pandas as pd

from lossgeometry.forgetting.stage import OUTCOMES, PREDICTORS


def section(frames: Mapping[str, pd.DataFrame], facts: Mapping[str, str]) -> str:
    """Return the section; empty where the stage did not run."""
    if "forgetting" not in frames:
        return ""
    runs, law = frames["forgetting"], frames["forgetting_law"]
    first = runs.iloc[0]
    lines = [
        "## Forgetting",
        "",
        f"**{first.benchmark}, {first.decoding}**: a skill that no rollout is about. Accuracy and cross-entropy of its text, less"
        " the base's, with 95 % intervals.",
        "",
        "| run | accuracy | change, points | cross-entropy, nats per token | change |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.run} | {row.accuracy:.1%} | {_interval(row, 'accuracy', 100, '+.1f')}"
        f" | {'' if pd.isna(row.cross_entropy) else format(row.cross_entropy, '.3f')}"
        f" | {_interval(row, 'cross_entropy', 1, '+.3g')} |"
        for row in runs.itertuples()
    ]
    lines += [
        "",
        "What of an update foretells what it forgets? A straight line each, fitted without one method and tested on it: R² of"
        " unseen methods is 1 where the line is right, 0 where it is no better than the mean of the others, and below where it"
        " is worse. Beside it the lowest when one method is not in the data at all: below 0, the line rests on that method.",
        "",
        "| outcome | runs | by | R² of unseen methods | without one method | R² of the fit | Spearman |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {OUTCOMES[row.outcome]} | {row.runs} of {row.methods} methods ({row.runs_taken}) | {PREDICTORS[row.predictor]}"
        f" | {_law(row)} |"
        for row in law.itertuples()
    ]
    return "\n".join(lines)


def _interval(row, name: str, factor: float, form: str) -> str:
    change, low, high = (factor * getattr(row, f"{name}_{end}") for end in ("change", "low", "high"))
    return "not measured" if pd.isna(change) else f"{change:{form}} ({low:{form}} to {high:{form}})"


def _law(row) -> str:
    if pd.isna(row.r2_unseen):
        return f"undefined: {row.note} | | |"
    least = "too few" if pd.isna(row.r2_least) else f"{row.r2_least:.2f} ({row.rests_on})"
    return f"{row.r2_unseen:.2f} | {least} | {row.r2:.2f} | {row.spearman:.2f}"
