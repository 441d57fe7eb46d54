"""What the summary says about the accuracies and their differences."""

from collections.abc import Mapping

import pandas as pd

from lossgeometry.experiment.runs import BASE
from lossgeometry.report.markdown import escape
from lossgeometry.report.runs_table import controls_of


def section(frames: Mapping[str, pd.DataFrame], facts: Mapping[str, str]) -> str:
    """Return the section; empty where the stage did not run."""
    return _section(frames["accuracy"], controls_of(frames["runs"])) if "accuracy" in frames else ""


def _section(accuracy: pd.DataFrame, controls: Mapping[str, str]) -> str:
    parts = ["## Accuracy", ""]
    for (benchmark, decoding), rows in accuracy.groupby(["benchmark", "decoding"], sort=False):
        first, least = rows.iloc[0], rows.minimum_detectable_difference
        unseen = (
            f"; a difference to the base under {100 * least.min():.1f} to {100 * least.max():.1f} points, by run, would usually go"
            " unnoticed"
            if least.notna().any()
            else ""
        )
        parts += [
            f"**{escape(benchmark)}, {decoding}**: {first.problems:.0f} problems, {first.samples:.0f} completion(s) each{unseen}."
            " Intervals are over problems, given the trained weights; `tables/across_seeds.csv` has those over seeds.",
            "",
            "| run | accuracy (95 %) | difference to the base, points (95 %) | truncated | no answer |",
            "|---|---|---|---|---|",
        ]
        for row in rows.itertuples():
            difference = (
                ""
                if row.run == BASE or pd.isna(row.difference_to_base)
                else f"{_points(row.difference_to_base)} ({_points(row.difference_low)}, {_points(row.difference_high)})"
            )
            flag = " **!**" if row.truncation_flag else ""
            parts.append(
                f"| {escape(row.run)}{' (control)' * (row.run in controls)} | {row.accuracy:.1%} ({row.low:.1%}, {row.high:.1%})"
                f" | {difference} | {row.truncation_rate:.1%}{flag} | {row.no_answer_rate:.1%} |"
            )
        parts.append("")
    return "\n".join(parts).rstrip()


def _points(share: float) -> str:
    return f"{100 * share:+.1f}"
