"""What a reader in a hurry takes away: the ends of every scale, each beside its chance level or interval."""

from collections.abc import Mapping

import pandas as pd

from lossgeometry.connectivity.summary import LOSS_NAMES, separated_by_barrier
from lossgeometry.evaluation.claim_findings import CANNOT_TELL, DIFFERS, NOT_TESTED, SAME
from lossgeometry.evaluation.differences import DIFFERENT, EQUAL, most_precise
from lossgeometry.evaluation.questions import LOSSES
from lossgeometry.experiment.runs import BASE
from lossgeometry.report.markdown import escape

VERDICTS = {
    SAME: "the same here",
    DIFFERS: "different here",
    CANNOT_TELL: "that cannot be told",
    NOT_TESTED: "not tested",
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
    if "differences" in frames:
        lines += _equality(frames["differences"])
    if "claims" in frames:
        found = frames["claims"].verdict.value_counts()
        counted = [f"{found[verdict]} {words}" for verdict, words in VERDICTS.items() if verdict in found]
        lines.append(f"**The paper's claims**, {found.sum()} statements: {', '.join(counted)}")
    return "\n".join(["## In short", "", *(f"- {line}." for line in lines)]) if lines else ""


def _directions(geometry: pd.DataFrame) -> list[str]:
    cosine = geometry[(geometry.scope == "global") & (geometry.metric == "cosine")].dropna(subset="value")
    if cosine.empty:
        return []
    ranked = cosine.sort_values("value", ascending=False, kind="stable")
    inside = int(((cosine.value - cosine.null_mean).abs() <= 2 * cosine.null_sd).sum())

    def said(row: pd.Series) -> str:
        chance = f"chance {row.null_mean:.3f} ± {2 * row.null_sd:.3f}"
        return f"{escape(row.run_a)} and {escape(row.run_b)}, cosine {row.value:.3f} ({chance})"

    text = f"**Direction**: most alike are {said(ranked.iloc[0])}"
    if len(ranked) > 1:
        text += f"; least {said(ranked.iloc[-1])}; {inside} of {len(ranked)} pairs are no more alike than chance"
    return [text]


def _barriers(barriers: pd.DataFrame) -> list[str]:
    lines = []
    for loss, rows in barriers.groupby("loss", sort=False):
        text = f"**Connectivity**, loss on {LOSS_NAMES[loss]}: "
        separated = rows[separated_by_barrier(rows)].sort_values("barrier", kind="stable")
        if len(separated):
            highest = separated.iloc[-1]
            text += (
                f"a barrier separates {len(separated)} of {len(rows)} pairs, the highest {highest.run_a} and {highest.run_b}"
                f" ({highest.barrier:.4f} ± {2 * highest.barrier_se:.4f} nats per token; the base's loss is"
                f" {highest.loss_base:.4f})"
            )
        else:
            text += f"no barrier separates any of {len(rows)} pairs"
        lines.append(text)
    return lines


def _accuracy(accuracy: pd.DataFrame) -> list[str]:
    lines = []
    for benchmark, rows in accuracy.groupby("benchmark", sort=False):
        precise = most_precise(rows.decoding)
        rows = rows[rows.decoding == precise]
        text = f"**Accuracy** on {escape(benchmark)}, {precise}"
        base = rows[rows.run == BASE]
        if len(base):
            text += f": the base solves {base.accuracy.iloc[0]:.1%}"
        moved = rows[(rows.run != BASE) & rows.difference_to_base.notna()].sort_values("difference_to_base")
        for label, row in (("highest", moved.iloc[-1]), ("lowest", moved.iloc[0])) if len(moved) > 1 else ():
            text += (
                f"; {label} {escape(row.run)}, {row.difference_to_base:+.1%} ({row.difference_low:+.1%} to"
                f" {row.difference_high:+.1%})"
            )
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
            f" {family.margin.iloc[0]:.1%}, {counts[1]} different, {len(family) - sum(counts)} cannot be told"
        )
    return lines
