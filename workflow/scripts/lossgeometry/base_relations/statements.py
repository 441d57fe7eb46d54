"""Off-principal and sparse, or just small? What updates leave of the base, at their own size and at equal ones."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from lossgeometry.findings.finding import Finding, Frames, counted
from lossgeometry.findings.names import Names
from lossgeometry.geometry import chance

SPARSER, AS_CHANCE, DENSER = "sparser than chance", "as chance", "denser than chance"
SECTION = "sizes"


def statements(frames: Frames, names: Names) -> list[Finding]:
    """Return the findings of `base_relations` and `changed_entries` on losses at their own learning rates, seeds averaged."""
    return [*_sparse(frames, names), *_shared(frames, names)]


def _sparse(frames: Frames, names: Names) -> Iterator[Finding]:
    if "base_relations" not in frames:
        return
    rows = frames["base_relations"]
    compared = {run: names.compared(run) for run in rows.run.unique()}
    titles = rows.run.map({run: one.title for run, one in compared.items() if one is not None})
    rows = rows.assign(title=titles)[rows.scope == "global"].dropna(subset=["title", "value"])
    own, equal, principal = (
        rows[rows.metric == metric] for metric in ("sparsity", "sparsity_at_equal_norm", "changed_principal")
    )
    if own.empty or equal.empty:
        return
    verdicts = [{chance.ABOVE: SPARSER, chance.BELOW: DENSER}.get(verdict, AS_CHANCE) for verdict in _verdicts(equal)]
    off = _verdicts(principal).count(chance.BELOW)
    yield Finding(
        id="base.sparse-or-small",
        question="Do losses change few entries of the base, and off its principal directions, or are their updates just small?",
        statement=f"Entries changed by less than a thousandth, of all: {_ends(own)} at their own norms, and {_ends(equal)} at one"
        f" norm, where random directions leave {_percent(equal.null_mean.min())} to {_percent(equal.null_mean.max())}. At one norm"
        f" {counted(verdicts, (SPARSER, AS_CHANCE, DENSER))}, and {off} of {len(principal)} updates change fewer of the largest"
        " entries of the base's leading directions than chance.",
        value=equal.value.max() - equal.value.min(),
        unit="share of entries: range over updates at one norm",
        chance=f"range at their own norms {_percent(own.value.max() - own.value.min())}",
        verdict=counted(verdicts, (SPARSER, AS_CHANCE, DENSER)),
        not_shown="other thresholds than a thousandth of an entry",
        section=SECTION,
    )


def _verdicts(rows: pd.DataFrame) -> list[str]:
    return list(chance.verdicts(rows.value, rows.null_mean, rows.null_sd))


def _ends(rows: pd.DataFrame) -> str:
    means = rows.groupby("title", sort=False).value.mean()
    return f"{_percent(means.max())} ({means.idxmax()}) to {_percent(means.min())} ({means.idxmin()})"


def _shared(frames: Frames, names: Names) -> Iterator[Finding]:
    if "changed_entries" not in frames:
        return
    rows = frames["changed_entries"].dropna(subset="overlap")
    made = frames["edits"].set_index("run").operation if "edits" in frames else {}
    apart: dict[str, list[tuple[float, float]]] = {}
    to_one = []
    for row in rows.itertuples():
        if row.at_norm == "equal" and _beside_reference(row, names):
            other = next(
                one.title for one in (names.runs[row.run_b], names.runs[row.run_a]) if one.label != names.reference
            )
            apart.setdefault(other, []).append((row.overlap, row.null_mean))
        elif row.at_norm == "own" and made.get(row.run_a, "").startswith("to_kl ") and row.run_b in made:
            to_one.append(f"{names(row.run_a)} and {names(row.run_b)} {_beside(row.overlap, row.null_mean)}")
    means = {other: np.mean(found, axis=0) for other, found in apart.items()}
    values = [overlap - null for overlap, null in means.values()]
    if not values:
        return
    yield Finding(
        id="base.same-entries",
        question="Do two losses change the same entries of the base?",
        statement="Entries that both change, of those that either does, at one norm, beside"
        f" {names.title(names.reference)}: {', '.join(f'{other} {_beside(*mean)}' for other, mean in means.items())}."
        + f" At one KL from the base: {', '.join(to_one)}."
        * bool(to_one),
        value=min(values),
        low=min(values),
        high=max(values),
        interval="range over pairs at one norm",
        unit="share of changed entries, above that of random directions",
        chance="0: as random directions of the same singular values",
        verdict="above chance" if min(values) > 0 else "not all above chance",
        not_shown="other thresholds than a thousandth of an entry",
        section=SECTION,
    )


def _beside_reference(row, names: Names) -> bool:
    a, b = names.compared(row.run_a), names.compared(row.run_b)
    if a is None or b is None or a.label == b.label or names.seed[a.id] != names.seed[b.id]:
        return False
    return names.reference in (a.label, b.label)


def _beside(overlap: float, null: float) -> str:
    return f"{_percent(overlap)} (chance {_percent(null)})"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
