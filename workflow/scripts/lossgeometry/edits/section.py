"""What the summary says about edits."""

from collections.abc import Mapping

import pandas as pd

NAMES = {"base": "the base", "parent": "its parent", "random directions": "random directions"}


def section(frames: Mapping[str, pd.DataFrame], facts: Mapping[str, str]) -> str:
    """Return the section; empty where nothing was edited."""
    return _section(frames["edits"], frames.get("edit_effects")) if "edits" in frames else ""


def _section(kept: pd.DataFrame, effects: pd.DataFrame | None) -> str:
    lines = [
        "## Interventions",
        "",
        "Updates computed from others, tested like any run. A part of an update is *necessary* for what its parent does if"
        " the edit without it loses that, and *sufficient* if the edit that is nothing else keeps it; random directions of"
        " equal singular values say what size alone does.",
        "",
        "| edit | operation | parent | norm / parent's | cosine to parent | left out | KL from the base | parent's KL |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in kept.itertuples():
        numbers = (row.norm_share, row.cosine_to_parent, row.left_out, row.kl, row.kl_parent)
        lines.append(f"| {row.run} | {row.operation} | {row.parent} | {' | '.join(map(_number, numbers))} |")
    if effects is None:
        return "\n".join(lines)
    for (benchmark, decoding), rows in effects[effects["most_precise"]].groupby(["benchmark", "decoding"], sort=False):
        lines += [
            "",
            f"**{benchmark}, {decoding}**: accuracy of the edit less that of the other, in points, on the same problems, with 95 %"
            " intervals over them, and the verdict after Holm's correction.",
            "",
            "| edit | less the base | less its parent | share of the parent's change kept | less random directions |",
            "|---|---|---|---|---|",
        ]
        for run in kept["run"]:
            own = rows[rows["run_b"] == run].set_index("question")
            cells = [_difference(own, name) for name in NAMES]
            lines.append(f"| {run} | {cells[0]} | {cells[1]} | {_share(own)} | {cells[2]} |")
    return "\n".join(lines)


def _number(value: float) -> str:
    return "" if pd.isna(value) else f"{value:.3g}"


def _difference(rows: pd.DataFrame, name: str) -> str:
    if f"edits against {name}" not in rows.index:
        return "not tested"
    row = rows.loc[f"edits against {name}"]
    points = (f"{100 * row[name]:+.1f}" for name in ("difference", "low", "high"))
    return "{} ({} to {}): {}".format(*points, row["verdict"])


def _share(rows: pd.DataFrame) -> str:
    row = rows.loc["edits against parent"]
    if pd.isna(row["kept_share"]):
        return f"undefined: {row['note']}"
    return f"{row['kept_share']:.0%} ({row['kept_low']:.0%}, {row['kept_high']:.0%})"
