"""What the summary says about seeds and learning rates beside the loss."""

import math
from collections.abc import Mapping

import pandas as pd

from lossgeometry.report.markdown import table
from lossgeometry.report.sensitivity import REFERENCE, VARIES


def section(frames: Mapping[str, pd.DataFrame], facts: Mapping[str, str]) -> str:
    """Return the section; empty where the stage did not run."""
    return _section(frames["sensitivity"]) if "sensitivity" in frames else ""


def _section(sensitivity: pd.DataFrame) -> str:
    """Return a section of Markdown from `tables/sensitivity.csv`; empty without a seed or learning rate to compare."""
    if not sensitivity.varies.isin(["order", "initialisation", "seed", "learning rate", "hyper-parameter"]).any():
        return ""
    parts = [
        "## Seeds and learning rates beside the loss",
        "",
        "The pairs of runs in which one thing varies. A loss matters only as far as its pairs are further apart than"
        " those of a seed or of a learning rate. Two initialisations share no A, so their cosine is lower even where both"
        " learnt the same function: the barrier and the accuracy tell.",
        "",
        table(_by_what_varies(sensitivity), {"norm ratio": "{:.2f}", "pairs": "{:d}"}),
    ]
    matched = _matched(sensitivity)
    if len(matched):
        formats = {"cosine to SFT": "{:.3f}", "norm / SFT's": "{:.2f}", "rank": "{:.1f}", "rank of SFT": "{:.1f}"}
        formats |= {"barrier (95 %)": "{}", "accuracy": "{:.1%}", "accuracy of SFT": "{:.1%}"}
        text = "Losses that run at several learning rates, at one that they share with SFT:"
        parts += ["", text, "", table(matched, formats)]
    return "\n".join(parts)


def _by_what_varies(sensitivity: pd.DataFrame) -> pd.DataFrame:
    """Return one line per thing that varies: range of the cosine, typical norm ratio, barriers, change of accuracy."""
    lines = []
    for name in VARIES:
        rows = sensitivity[sensitivity.varies == name]
        if rows.empty:
            continue
        measured = rows.dropna(subset="barrier")
        ratio = rows.norm_ratio.where(rows.norm_ratio >= 1, 1 / rows.norm_ratio)
        change = (rows.accuracy_b - rows.accuracy_a).abs().max()
        lines.append(
            {
                "varies": name,
                "pairs": len(rows),
                "cosine: median (range)": (
                    f"{rows.cosine.median():.3f} ({rows.cosine.min():.3f} to {rows.cosine.max():.3f})"
                ),
                "norm ratio": ratio.median(),
                "highest barrier (95 %)": _largest_barrier(measured),
                "largest change of accuracy": "" if math.isnan(change) else f"{100 * change:.1f} points",
            }
        )
    return pd.DataFrame(lines)


def _largest_barrier(measured: pd.DataFrame) -> str:
    if measured.empty:
        return ""
    largest = measured.loc[measured.barrier.idxmax()]
    return f"{largest.barrier:.4f} ({largest.barrier_low:.4f} to {largest.barrier_high:.4f}): {largest.barrier_verdict}"


def _matched(sensitivity: pd.DataFrame) -> pd.DataFrame:
    """Return the runs of other losses with several learning rates, beside the SFT run at the same rate."""
    shifted = {run for pair in ("run_a", "run_b") for run in sensitivity[sensitivity.varies == "learning rate"][pair]}
    rows = sensitivity[(sensitivity.varies == "loss") & sensitivity.run_a.str.startswith(f"{REFERENCE}.")]
    lines = []
    for row in rows[rows.run_b.isin(shifted)].itertuples():
        lines.append(
            {
                "run": row.run_b,
                "SFT run": row.run_a,
                "cosine to SFT": row.cosine,
                "norm / SFT's": row.norm_ratio,
                "rank": row.effective_rank_b,
                "rank of SFT": row.effective_rank_a,
                "barrier (95 %)": _largest_barrier(sensitivity.loc[[row.Index]].dropna(subset="barrier")),
                "accuracy": row.accuracy_b,
                "accuracy of SFT": row.accuracy_a,
            }
        )
    return pd.DataFrame(lines)
