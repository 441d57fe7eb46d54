"""What the summary says about the training runs."""

from collections import Counter
from collections.abc import Mapping

import pandas as pd

from lossgeometry.report.markdown import escape, table


def section(frames: Mapping[str, pd.DataFrame], facts: Mapping[str, str]) -> str:
    """Return the section; empty where the stage did not run."""
    return _section(frames["runs"]) if "runs" in frames else ""


def _section(runs: pd.DataFrame) -> str:
    if "steps" not in runs:
        return ""
    columns = {
        "run": "run",
        "steps": "steps",
        "epochs": "epochs",
        "tokens": "tokens",
        "loss_first": "first loss",
        "loss_last": "last loss (10 steps)",
        "rows_left_out": "rows left out",
    }
    shown = runs[list(columns)].rename(columns=columns)
    return "\n\n".join(
        (
            "## Training",
            table(shown, {"epochs": "{:.2f}", "first loss": "{:.4f}", "last loss (10 steps)": "{:.4f}"}),
            "Losses of different methods are different functions: their values cannot be compared across rows.",
            *surroundings(runs),
        )
    )


SURROUNDINGS = {"device": "kinds of device", "driver": "versions of the driver", "versions": "sets of package versions"}


def surroundings(runs: pd.DataFrame) -> list[str]:
    """Return what the runs were trained on, and a warning where a comparison of two of them spans several kinds of it."""
    lines = []
    for column, kinds in SURROUNDINGS.items():
        found = [str(kind) for kind in runs[column].dropna()] if column in runs else []
        counts = Counter(found)
        if len(counts) > 1:
            listed = "; ".join(f"{escape(kind)}: {count} runs" for kind, count in sorted(counts.items()))
            lines.append(
                f"**Warning: the runs were trained on {len(counts)} {kinds}** ({listed}). Rounding differs between them, so a"
                " comparison across them is not of the losses alone."
            )
        elif counts and column == "device":
            lines.append(f"Every run was trained on the same kind of device: {escape(found[0])}.")
    return lines
