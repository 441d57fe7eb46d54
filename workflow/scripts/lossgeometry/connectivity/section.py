"""What the summary says about linear mode connectivity."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from lossgeometry.connectivity.verdicts import BARRIER, CANNOT_TELL, NO_BARRIER

LOSS_NAMES = {
    "reference_solution": "held-out reference solutions",
    "boxed_answer": r"the bare `\boxed{answer}` straight after the prompt",
}


def section(frames: Mapping[str, pd.DataFrame], facts: Mapping[str, str]) -> str:
    """Return the section; empty where the stage did not run."""
    return _section(frames["barriers"]) if "barriers" in frames else ""


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
            "The loss along W0 + (1 - t) dW_a + t dW_b, in nats per token, at the t where it rises furthest above both"
            " the straight line between the two ends (excess; Entezari et al. 2022) and what both updates show when"
            " each is shrunk alone as much as the path is shortened there (shrinkage control). The height of a barrier is"
            " the smaller of the excess and of its difference to the control, with a 95 % interval over sequences that"
            " counts the choice of t. It counts from the smallest effect, a share of the ends' loss"
            " (`connectivity.smallest_barrier`), after Holm over the pairs. Frankle's variant measures from the mean of"
            " the ends, so that it reads a difference between them as a barrier.",
            *sections,
        ]
    )


def _of_loss(loss: str, rows: pd.DataFrame) -> str:
    base = rows["loss_base"].iloc[0]
    lines = [
        f"Loss on {LOSS_NAMES[loss]}: {counted(rows)}; the base has {base:.4f}.",
        "",
        "| pair | loss of a | loss of b | at t | excess (se) | control | height (95 %) | smallest effect | verdict |"
        " Frankle (se) |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows.itertuples():
        verdict = f"{row.verdict}: {row.reason}" if isinstance(row.reason, str) and row.reason else row.verdict
        lines.append(
            f"| {row.run_a} - {row.run_b} | {row.loss_a:.4f} | {row.loss_b:.4f} | {row.t:g}"
            f" | {row.excess:.4f} ({row.excess_se:.4f}) | {row.control:.4f} | {interval_of(row)}"
            f" | {row.smallest_effect:.4f} | {verdict} | {row.frankle:.4f} ({row.frankle_se:.4f}) |"
        )
    return "\n".join(lines)


def counted(barriers: pd.DataFrame) -> str:
    """Return how many of some pairs have which verdict, in words; a rise that is there may be too small to count."""
    number = barriers.verdict.value_counts()
    smaller = int(((barriers.verdict == NO_BARRIER) & (barriers.difference_low > 0)).sum())
    return (
        f"a barrier above the smallest effect separates {number.get(BARRIER, 0)} of {len(barriers)} pairs,"
        f" {number.get(NO_BARRIER, 0)} have none of that size ({smaller} have a smaller one), {number.get(CANNOT_TELL, 0)} cannot"
        " be told"
    )


def interval_of(row: Any) -> str:
    """Return the height of a barrier with its interval."""
    return f"{row.difference:.4f} ({row.difference_low:.4f} to {row.difference_high:.4f})"
