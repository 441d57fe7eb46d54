"""What the summary says about the paper's claims."""

from collections.abc import Mapping

import pandas as pd

from lossgeometry.claims.tabulation import scale_caveat
from lossgeometry.report.markdown import escape


def section(frames: Mapping[str, pd.DataFrame], facts: Mapping[str, str]) -> str:
    """Return the claims, the scale said once, then what each rests on; `facts` names `student` and `paper_student`."""
    if "claims" not in frames:
        return ""
    table = frames["claims"].fillna("")
    lines = ["## The paper's claims, put to this experiment", ""]
    if scale := scale_caveat(facts["student"], facts["paper_student"]):
        lines += [f"**{escape(scale)}**", ""]
    lines += ["| claim | | paper | here | chance or interval | verdict |", "|---|---|---|---|---|---|"]
    for row in table.itertuples():
        rates = " (at matched learning rates)" if row.learning_rates == "matched" else ""
        # Of accuracies it is what the tests could have seen; of other numbers, what replicates differ by.
        words = "smallest visible difference" if row.decoding else "replicates differ by"
        seen = f"{words} {row.smallest_difference}" if row.smallest_difference != "" else ""
        ours = row.ours + f" (predicted before training, and what that added: {row.predicted})" * bool(row.predicted)
        basis = "; ".join(filter(None, (row.decoding, row.band, seen)))
        cells = [escape(cell) for cell in (row.claim, row.statement + rates, row.paper, ours, basis)]
        lines.append(f"| {' | '.join(cells)} | **{row.verdict}**{': ' * bool(row.reason)}{escape(row.reason)} |")
    lines += ["", "A verdict holds in every seed that is named. Rules and caveats are in `tables/claims.csv`."]
    return "\n".join(lines) + "\n"
