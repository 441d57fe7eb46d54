"""What the summary says about behaviour."""

from collections.abc import Mapping

import pandas as pd

COLUMNS = {
    "KL(base, run)": ("base", "kl_base_run"),
    "KL(run, base)": ("own", "kl_run_base"),
    "log p of the base's answers": ("base", "log_p_change"),
    "entropy": ("base", "entropy_change"),
    "share in the top twentieth": ("base", "top_share"),
}


def section(frames: Mapping[str, pd.DataFrame], facts: Mapping[str, str]) -> str:
    """Return the section; empty where the stage did not run."""
    return _section(frames["behaviour"]) if "behaviour" in frames else ""


def _section(behaviour: pd.DataFrame) -> str:
    everything = behaviour[behaviour["part"] == "all"].set_index(["run", "text", "measure"])
    lines = [
        "## Behaviour",
        "",
        "How far each run moves the distribution over the next token, in nats per token, with 95 % intervals over problems:"
        " KL(base || run) on the base's answers, KL(run || base) on the run's own; the change of the log-probability of the"
        " base's answers and of the entropy; and how much of KL(base || run) lies in the twentieth of tokens that move most."
        " The base against itself is the floor.",
        "",
        f"| run | {' | '.join(COLUMNS)} |",
        f"|---|{'---|' * len(COLUMNS)}",
    ]
    for run in dict.fromkeys(behaviour["run"]):
        cells = [_cell(everything, run, text, measure) for text, measure in COLUMNS.values()]
        lines.append(f"| {run} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(rows: pd.DataFrame, run: str, text: str, measure: str) -> str:
    text = "base" if run == "base" else text
    row = rows.loc[(run, text, measure)]
    if pd.isna(row["value"]):
        return f"undefined: {row['note']}"
    return f"{row['value']:.3g} ({row['low']:.3g}, {row['high']:.3g})"
