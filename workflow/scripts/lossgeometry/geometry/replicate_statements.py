"""What sets two losses apart beyond what is drawn, and what each thing that is drawn adds to an update."""

from collections.abc import Iterator

import pandas as pd

from lossgeometry.files.rows import pair_id
from lossgeometry.findings.finding import Finding, Frames, between, counted, decimal
from lossgeometry.findings.names import Names
from lossgeometry.geometry.replicates import APART, CANNOT_TELL, LEAST_COSINE, ONE_DIRECTION
from lossgeometry.geometry.replicates_section import KINDS

BLOCKS = "95 %, leaving out one block of the network at a time"
SECTION = "robustness"
NOT_SHOWN = "other draws than these: the intervals hold what differs from block to block of the network"


def statements(frames: Frames, names: Names) -> list[Finding]:
    """Return the findings of `replicates` on every loss beside the reference, and of `components`."""
    found = []
    if "replicates" in frames:
        rows = frames["replicates"]
        rows = rows[(rows.method_a == names.reference) != (rows.method_b == names.reference)]
        for methods, part in rows.groupby(["method_a", "method_b"], sort=False):
            a, b = methods[::-1] if methods[1] == names.reference else methods
            found.append(_of_two(a, b, part, names))
    return [*found, *_components(frames)]


def _of_two(a: str, b: str, rows: pd.DataFrame, names: Names) -> Finding:
    first, second = names.title(a), names.title(b)
    told = [_of_kind(row, first, second, row.method_a != a) for row in rows.itertuples()]
    known = rows.dropna(subset="corrected")
    nearest = known.loc[known.corrected.idxmax()] if len(known) else rows.iloc[0]
    return Finding(
        id=f"replicates.{pair_id(a, b)}",
        question=f"Is what sets {first} and {second} apart the loss, or what was drawn?",
        statement=f"The cosine of {first} and {second}, corrected for what replicates of each differ by (1: nothing else sets them"
        f" apart). {' '.join(told)}",
        value=nearest.corrected,
        low=nearest.low,
        high=nearest.high,
        interval=BLOCKS,
        unit="cosine, corrected for noise",
        chance=f"one direction: from {LEAST_COSINE} on",
        verdict=counted(list(rows.verdict), (APART, ONE_DIRECTION, CANNOT_TELL)),
        not_shown=NOT_SHOWN,
        section=SECTION,
        pair=pair_id(a, b),
    )


def _of_kind(row, first: str, second: str, turned: bool) -> str:
    one, other = (row.within_b, row.within_a) if turned else (row.within_a, row.within_b)
    ceiling = f"{first} with itself {decimal(one)}, {second} with itself {decimal(other)}"
    begun = f"With {KINDS[row.kind]}"
    if pd.isna(row.corrected):
        return f"{begun}: {row.verdict} ({row.note}; {ceiling})."
    why = f" (the interval holds {LEAST_COSINE})" if row.verdict == CANNOT_TELL else ""
    if pd.isna(row.low):  # one block of layers alone
        why, reach = f" ({row.note})", ""
    else:
        reach = f" ({between(row.low, row.high)}, standard error {decimal(row.standard_error)})"
    return f"{begun}: {decimal(row.corrected)}{reach}, {row.verdict}{why}; {ceiling}, the two crossed {decimal(row.crossed)}."


def _components(frames: Frames) -> Iterator[Finding]:
    if "components" not in frames:
        return
    rows = frames["components"].set_index("factor")
    if "loss" not in rows.index or len(rows) < 2:
        return
    loss = rows.loc["loss"]
    told, verdicts = [], []
    for factor, row in rows.iterrows():
        words = f"{factor} {decimal(row.share, 2)} ({between(row.low, row.high, lambda value: decimal(value, 2))})"
        told.append(f"{words}{', ' + row.note if isinstance(row.note, str) and row.note else ''}")
        if factor != "loss":
            verdicts.append(f"{factor}: {_beside(row, loss)}")
    yield Finding(
        id="replicates.components",
        question="What adds most to an update: the loss, the initialisation, the order of the data, or which data it is?",
        statement=f"What one of them alone adds to an update of unit length, half the squared distance of two runs that differ"
        f" in nothing else: {'; '.join(told)}. Beside the loss: {'; '.join(verdicts)}.",
        value=loss.share,
        low=loss.low,
        high=loss.high,
        interval=BLOCKS,
        unit="half the squared distance of updates of unit length, of losses",
        chance="1: nothing in common",
        verdict="; ".join(verdicts),
        not_shown=f"{NOT_SHOWN}; between losses it is the mean over all pairs",
        section=SECTION,
    )


def _beside(row: pd.Series, loss: pd.Series) -> str:
    if row.low > loss.high:
        return "more"
    return "less" if row.high < loss.low else f"{CANNOT_TELL} (the intervals overlap)"
