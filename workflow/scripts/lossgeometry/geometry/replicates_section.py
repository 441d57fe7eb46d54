"""What the summary says about the loss against the sample."""

from collections.abc import Mapping

import pandas as pd

from lossgeometry.report.markdown import escape

KINDS = {
    "order": "the data in another order",
    "half": "the other half of the prompts",
    "initialisation": "another initialisation",
    "both": "another initialisation and order",
}


def replicates_section(frames: Mapping[str, pd.DataFrame]) -> str:
    """Return the section; empty where no two losses have replicates of one kind."""
    if "replicates" not in frames or "components" not in frames:
        return ""
    table = frames["replicates"]
    table = table[table.method_a != table.method_b]
    if table.empty:
        return ""
    lines = [
        "## The loss against what is drawn",
        "",
        "Two losses beside replicates of each, of one kind at a time: the cosine that shares what is drawn, the crossed one that"
        " does not, those of either loss with its own replicate, and the crossed one corrected by them, which is 1 where only what"
        " is drawn sets the two apart (95 % over the blocks of the network).",
        "",
        "| replicates differ in | losses | shared | crossed | within first | within second | corrected | |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in table.itertuples():
        if pd.isna(row.corrected):
            corrected = f"undefined: {escape(row.note)}"
        else:
            corrected = f"{row.corrected:.3f} ({row.low:.3f} to {row.high:.3f})"
        numbers = " | ".join(f"{value:.3f}" for value in (row.uncrossed, row.crossed, row.within_a, row.within_b))
        losses = f"{escape(row.method_a)} - {escape(row.method_b)}"
        lines.append(f"| {KINDS[row.kind]} | {losses} | {numbers} | {corrected} | {row.verdict} |")
    shares = [
        f"{row.factor} {row.share:.3f} ({row.low:.3f} to {row.high:.3f})" for row in frames["components"].itertuples()
    ]
    lines += ["", f"What one factor alone adds to an update of unit length: {'; '.join(shares)}."]
    return "\n".join(lines)
