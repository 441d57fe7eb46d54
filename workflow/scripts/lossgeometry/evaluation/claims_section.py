"""What the summary says about the paper's claims."""

from collections.abc import Mapping

import pandas as pd

from lossgeometry.evaluation.claims import scale_caveat

VERDICTS = {
    "agrees": "agree with this experiment",
    "contradicts": "contradict it",
    "cannot tell": "cannot be decided here",
    "not run": "not tested",
}


def section(frames: Mapping[str, pd.DataFrame], facts: Mapping[str, str]) -> str:
    """Return the claims with their verdicts, the scale said once; `facts` names the `student` and the `paper_student`."""
    if "claims" not in frames:
        return ""
    table = frames["claims"].fillna("")
    lines = ["## The paper's claims, put to this experiment", ""]
    if scale := scale_caveat(facts["student"], facts["paper_student"]):
        lines += [f"**{scale}**", ""]
    lines += ["| claim | | paper | here | chance or interval | verdict |", "|---|---|---|---|---|---|"]
    for row in table.itertuples():
        cells = (row.claim, row.statement, row.paper, row.ours, row.band, f"**{row.verdict}**")
        lines.append("| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |")
    lines += ["", "Rules and caveats of each line are in `tables/claims.csv`."]
    return "\n".join(lines) + "\n"


def in_short(frames: Mapping[str, pd.DataFrame]) -> list[str]:
    """Return how many parts of claims have which verdict."""
    if "claims" not in frames:
        return []
    found = frames["claims"].verdict.value_counts()
    counted = [f"{found[verdict]} {words}" for verdict, words in VERDICTS.items() if verdict in found]
    return [f"**The paper's {found.sum()} claims**: {', '.join(counted)}"]
