"""What lies between two runs on the straight line: barriers, and the smallest that would have been seen."""

import pandas as pd

from lossgeometry.connectivity.stage import LOSSES
from lossgeometry.connectivity.verdicts import BARRIER, CANNOT_TELL, NO_BARRIER
from lossgeometry.files.rows import pair_id
from lossgeometry.findings.finding import Finding, Frames, between, counted, small, view
from lossgeometry.findings.names import Names

NOT_SHOWN = "curved paths, and any barrier below the smallest effect"


def statements(frames: Frames, names: Names) -> list[Finding]:
    """Return the findings of `barriers`, for each loss over all pairs and for each pair."""
    if "barriers" not in frames:
        return []
    found = []
    for place, (loss, rows) in enumerate(frames["barriers"].dropna(subset="difference").groupby("loss", sort=False)):
        plain = rows[[names.runs[run].arm not in ("control", "edit") for run in rows.run_a]]
        plain = plain[[names.runs[run].arm not in ("control", "edit") for run in plain.run_b]]
        if len(plain):
            found += [_over_pairs(str(loss), plain, names, 7 * (place == 0)), *_of_pairs(str(loss), plain, names)]
    return found


def _over_pairs(loss: str, rows: pd.DataFrame, names: Names, rank: int) -> Finding:
    verdicts = list(rows.verdict)
    count = {verdict: verdicts.count(verdict) for verdict in (BARRIER, NO_BARRIER, CANNOT_TELL)}
    highest = rows.loc[rows.difference.idxmax()]
    low, high = rows.smallest_effect.min(), rows.smallest_effect.max()
    effect = small(low) if small(low) == small(high) else between(low, high, small)
    return Finding(
        id=f"between.{loss}",
        question="One basin or two: does the loss rise on the straight line between two runs?",
        statement=f"On the {len(rows)} straight lines between two runs, measured by {LOSSES[loss].lower()}:"
        f" {count[BARRIER]} have a barrier, {count[NO_BARRIER]} have none of the size that counts, {count[CANNOT_TELL]} cannot be"
        f" told. The highest rise above chord and shrinkage control is"
        f" {small(highest.difference)} nats per token ({between(highest.difference_low, highest.difference_high, small)}),"
        f" between {names(highest.run_a)} and {names(highest.run_b)}; a barrier counts from {effect}.",
        value=highest.difference,
        low=highest.difference_low,
        high=highest.difference_high,
        interval="95 % over sequences, counting the choice of the place",
        unit="nats per token",
        chance=f"counts from {effect}",
        verdict=counted(verdicts, (BARRIER, NO_BARRIER)),
        not_shown=NOT_SHOWN,
        section="connectivity",
        view=view(loss=loss, focus=pair_id(highest.run_a, highest.run_b)),
        rank=rank,
    )


def _of_pairs(loss: str, rows: pd.DataFrame, names: Names) -> list[Finding]:
    found = []
    for row in rows.itertuples():
        a, b = names(row.run_a), names(row.run_b)
        found.append(
            Finding(
                id=f"between.{loss}.{pair_id(row.run_a, row.run_b)}",
                question=f"What is between {a} and {b} on the straight line?",
                statement=f"Between {a} and {b}, the path rises {small(row.difference)} nats per token"
                f" ({between(row.difference_low, row.difference_high, small)}) above chord and shrinkage control at t ="
                f" {row.t:g}; a barrier counts from {small(row.smallest_effect)}: {row.verdict}.",
                value=row.difference,
                low=row.difference_low,
                high=row.difference_high,
                interval="95 % over sequences, counting the choice of the place",
                unit="nats per token",
                chance=f"counts from {small(row.smallest_effect)}",
                verdict=row.verdict,
                not_shown=NOT_SHOWN,
                section="connectivity",
                view=view(loss=loss, focus=pair_id(row.run_a, row.run_b)),
                pair=pair_id(row.run_a, row.run_b),
            )
        )
    return found
