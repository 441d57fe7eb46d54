"""What the summary says about the accuracies."""

from collections.abc import Mapping

import pandas as pd

from lossgeometry.experiment.runs import BASE


def section(frames: Mapping[str, pd.DataFrame], facts: Mapping[str, str]) -> str:
    """Return the section; empty where the stage did not run."""
    return _section(frames["accuracy"]) if "accuracy" in frames else ""


def in_short(frames: Mapping[str, pd.DataFrame]) -> list[str]:
    """Return the findings in short."""
    return _short(frames["accuracy"]) if "accuracy" in frames else []


def _section(accuracy: pd.DataFrame) -> str:
    parts = ["## Accuracy", ""]
    for (benchmark, decoding), rows in accuracy.groupby(["benchmark", "decoding"], sort=False):
        first = rows.iloc[0]
        parts += [
            f"**{benchmark}, {decoding}**: {first.problems:.0f} problems, {first.samples:.0f} completion(s) each; a difference"
            f" under {first.minimum_detectable_difference:.1%} would usually go unnoticed.",
            "",
            "| run | accuracy (95 %) | difference to the base (95 %) | truncated | no answer |",
            "|---|---|---|---|---|",
        ]
        for row in rows.itertuples():
            difference = (
                ""
                if row.run == BASE or pd.isna(row.difference_to_base)
                else f"{row.difference_to_base:+.1%} ({row.difference_low:+.1%}, {row.difference_high:+.1%})"
            )
            flag = " **!**" if row.truncation_flag else ""
            parts.append(
                f"| {row.run} | {row.accuracy:.1%} ({row.low:.1%}, {row.high:.1%}) | {difference}"
                f" | {row.truncation_rate:.1%}{flag} | {row.no_answer_rate:.1%} |"
            )
        parts.append("")
    return "\n".join(parts).rstrip()


def _short(accuracy: pd.DataFrame) -> list[str]:
    lines = []
    for benchmark, rows in accuracy.groupby("benchmark", sort=False):
        # Of greedy and sampled decoding, the one that can tell smaller differences.
        finest = rows.sort_values("minimum_detectable_difference", kind="stable").iloc[0].decoding
        rows = rows[rows.decoding == finest]
        text = f"**Accuracy** on {benchmark}, {finest}"
        base = rows[rows.run == BASE]
        if len(base):
            text += f": the base solves {base.accuracy.iloc[0]:.1%}"
        moved = rows[(rows.run != BASE) & rows.difference_to_base.notna()].sort_values("difference_to_base")
        for label, row in (("largest gain", moved.iloc[-1]), ("smallest", moved.iloc[0])) if len(moved) > 1 else ():
            text += (
                f"; {label} {row.run}, {row.difference_to_base:+.1%} ({row.difference_low:+.1%} to"
                f" {row.difference_high:+.1%})"
            )
        lines.append(text)
    return lines
