"""What the summary says about linear mode connectivity."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

LOSS_NAMES = {
    "reference_solution": "held-out reference solutions",
    "boxed_answer": r"the bare `\boxed{answer}` straight after the prompt",
}


def separated_by_barrier(barriers: pd.DataFrame) -> pd.Series:
    """Return for every pair whether its barrier exceeds twice its standard error; one that is undefined does not."""
    return barriers.barrier > 2 * barriers.barrier_se


def section(frames: Mapping[str, pd.DataFrame], facts: Mapping[str, str]) -> str:
    """Return the section; empty where the stage did not run."""
    return _section(frames["barriers"]) if "barriers" in frames else ""


def in_short(frames: Mapping[str, pd.DataFrame]) -> list[str]:
    """Return the findings in short."""
    return _short(frames["barriers"]) if "barriers" in frames else []


def _section(barriers: pd.DataFrame) -> str:
    """Return a section of Markdown.

    Parameters
    ----------
    barriers
        `tables/barriers.csv`: one row per pair and loss.
    """
    sections = [_of_loss(loss, rows) for loss, rows in barriers.groupby("loss", sort=False)]
    return "\n\n".join(
        [
            "## Linear mode connectivity",
            "The loss along W0 + (1 - t) dW_a + t dW_b, in nats per token. The barrier is the largest excess over the"
            " straight line between the two ends (Entezari et al. 2022), with its standard error over sequences; a pair"
            " is separated by a barrier where it exceeds twice that error. Where the path has none, its largest excess"
            " between the ends is given, which is then negative. Of it, *of shrinking* is what both updates"
            " show when each is shrunk alone as much as the path is shortened there. Frankle's variant measures from"
            " the mean of the ends, so that it reads a difference between them as a barrier.",
            *sections,
        ]
    )


def _of_loss(loss: str, rows: pd.DataFrame) -> str:
    separated = int(separated_by_barrier(rows).sum())
    base = rows["loss_base"].iloc[0]
    lines = [
        f"Loss on {LOSS_NAMES[loss]}: {separated} of {len(rows)} pairs are separated by a barrier; the base has"
        f" {base:.4f}.",
        "",
        "| pair | loss of a | loss of b | barrier (se) | at t | of shrinking | Frankle (se) |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows.itertuples():
        lines.append(
            f"| {row.run_a} - {row.run_b} | {row.loss_a:.4f} | {row.loss_b:.4f}"
            f" | {_barrier(row)} | {row.barrier_of_shrinking:.4f}"
            f" | {row.frankle:.4f} ({row.frankle_se:.4f}) |"
        )
    return "\n".join(lines)


def _barrier(row: Any) -> str:
    """Return the barrier and its place; where there is none, how far below the chord the path stays."""
    if row.barrier_t in (0.0, 1.0):
        return f"none: {row.inner_excess:.4f} ({row.inner_excess_se:.4f}) | "
    return f"{row.barrier:.4f} ({row.barrier_se:.4f}) | {row.barrier_t:g}"


def _short(barriers: pd.DataFrame) -> list[str]:
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
