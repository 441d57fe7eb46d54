"""What the summary says about the accuracies and their differences."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from lossgeometry.evaluation.differences import DIFFERENT, EQUAL, most_precise
from lossgeometry.evaluation.questions import LOSSES
from lossgeometry.experiment.runs import BASE, RANDOM, UNTRAINED
from lossgeometry.report.markdown import escape
from lossgeometry.report.runs_table import controls_of


def section(frames: Mapping[str, pd.DataFrame], facts: Mapping[str, str]) -> str:
    """Return the section; empty where the stage did not run."""
    return _section(frames["accuracy"], controls_of(frames["runs"])) if "accuracy" in frames else ""


def in_short(frames: Mapping[str, pd.DataFrame]) -> list[str]:
    """Return the findings in short."""
    lines = _short(frames["accuracy"], frames["runs"]) if "accuracy" in frames else []
    return lines + (_equality(frames["differences"]) if "differences" in frames else [])


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


def _moved(row: Any) -> str:
    """Return the change from the base in words."""
    low, high = _points(row.difference_low), _points(row.difference_high)
    return f"{_points(row.difference_to_base)} points ({low} to {high})"


def _short(accuracy: pd.DataFrame, runs: pd.DataFrame) -> list[str]:
    lines, controls = [], controls_of(runs)
    edits = runs.run[runs.origin == "derived"]
    for benchmark, rows in accuracy.groupby("benchmark", sort=False):
        precise = most_precise(rows.decoding)
        rows = rows[rows.decoding == precise]
        text = f"**Accuracy** on {escape(benchmark)}, {precise}"
        base = rows[rows.run == BASE]
        if len(base):
            text += f": the base solves {base.accuracy.iloc[0]:.1%}"
        moved = rows[(rows.run != BASE) & rows.difference_to_base.notna()].sort_values("difference_to_base")
        losses = moved[~moved.run.isin([*controls, *edits])]
        for label, row in (("highest", losses.iloc[-1]), ("lowest", losses.iloc[0])) if len(losses) > 1 else ():
            text += f"; {label} {escape(row.run)}, {_moved(row)}"
        # Random directions of a run's size say what its size alone does, an untrained adapter what arithmetic does.
        for row in moved[moved.run.map(controls).isin([RANDOM, UNTRAINED])].itertuples():
            text += f"; {escape(row.run)} ({escape(controls[row.run])}), {_moved(row)}"
        lines.append(text)
    return lines


def _equality(differences: pd.DataFrame) -> list[str]:
    """One line for each family of losses: how many pairs are equal, different, or neither."""
    rows = differences[(differences.question == LOSSES) & differences.most_precise.astype(bool)]
    lines = []
    for (benchmark, group), family in rows.groupby(["benchmark", "group"], sort=False):
        counts = [int((family.verdict == verdict).sum()) for verdict in (EQUAL, DIFFERENT)]
        lines.append(
            f"**Losses in accuracy** on {escape(benchmark)}, {group}: of {len(family)} pairs {counts[0]} are equal within"
            f" {100 * family.margin.iloc[0]:.1f} points, {counts[1]} different, {len(family) - sum(counts)} cannot be told"
        )
    return lines
