"""What a reader in a hurry takes away: the ends of every scale, each beside its chance level or interval."""

from collections.abc import Mapping

import pandas as pd

from lossgeometry.connectivity.summary import LOSS_NAMES, counted, interval_of
from lossgeometry.connectivity.verdicts import BARRIER
from lossgeometry.experiment.runs import BASE

VERDICTS = {
    "agrees": "agree with this experiment",
    "contradicts": "contradict it",
    "cannot tell": "cannot be told from it",
    "not run": "were not put to it",
}


def in_short(frames: Mapping[str, pd.DataFrame]) -> str:
    """Return the section of summary.md; a stage that was not asked for has no line."""
    lines = []
    if "geometry" in frames:
        lines += _directions(frames["geometry"])
    if "barriers" in frames:
        lines += _barriers(frames["barriers"])
    if "accuracy" in frames:
        lines += _accuracy(frames["accuracy"])
    if "claims" in frames:
        found = frames["claims"].verdict.value_counts()
        counted = [f"{found[verdict]} {words}" for verdict, words in VERDICTS.items() if verdict in found]
        lines.append(f"**The paper's {found.sum()} claims**: {', '.join(counted)}")
    return "\n".join(["## In short", "", *(f"- {line}." for line in lines)]) if lines else ""


def _directions(geometry: pd.DataFrame) -> list[str]:
    cosine = geometry[(geometry.scope == "global") & (geometry.metric == "cosine")].dropna(subset="value")
    if cosine.empty:
        return []
    ranked = cosine.sort_values("value", ascending=False, kind="stable")
    inside = int(((cosine.value - cosine.null_mean).abs() <= 2 * cosine.null_sd).sum())

    def said(row: pd.Series) -> str:
        return (
            f"{row.run_a} and {row.run_b}, cosine {row.value:.3f} (chance {row.null_mean:.3f} ± {2 * row.null_sd:.3f})"
        )

    text = f"**Direction**: most alike are {said(ranked.iloc[0])}"
    if len(ranked) > 1:
        text += f"; least {said(ranked.iloc[-1])}; {inside} of {len(ranked)} pairs are no more alike than chance"
    return [text]


def _barriers(barriers: pd.DataFrame) -> list[str]:
    lines = []
    for loss, rows in barriers.groupby("loss", sort=False):
        text = f"**Connectivity**, loss on {LOSS_NAMES[loss]}: {counted(rows)}"
        separated = rows[rows.verdict == BARRIER].sort_values("difference", kind="stable")
        if len(separated):
            highest = separated.iloc[-1]
            text += (
                f"; the highest lies between {highest.run_a} and {highest.run_b}, {interval_of(highest)} nats per token"
            )
            text += " above the chord and the control"
        lines.append(text)
    return lines


def _accuracy(accuracy: pd.DataFrame) -> list[str]:
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
        for label, row in (("most gains", moved.iloc[-1]), ("least", moved.iloc[0])) if len(moved) > 1 else ():
            text += (
                f"; {label} {row.run}, {row.difference_to_base:+.1%} ({row.difference_low:+.1%} to"
                f" {row.difference_high:+.1%})"
            )
        lines.append(text)
    return lines
