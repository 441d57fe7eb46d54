"""What the summary says about the training runs."""

from collections.abc import Mapping

import pandas as pd

from lossgeometry.report.markdown import table


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
    return (
        "## Training\n\n"
        + table(shown, {"epochs": "{:.2f}", "first loss": "{:.4f}", "last loss (10 steps)": "{:.4f}"})
        + ("\n\nLosses of different methods are different functions: their values cannot be compared across rows.")
    )
