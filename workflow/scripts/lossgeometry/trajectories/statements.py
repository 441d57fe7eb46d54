"""How directions form, and what two losses have in common where they went equally far."""

import pandas as pd

from lossgeometry.files.rows import pair_id
from lossgeometry.findings.finding import SEEDS, Finding, Frames, decimal, over_seeds, small, view
from lossgeometry.findings.names import Names
from lossgeometry.geometry.statements import by_methods

NOT_SHOWN = "what lies between the steps that were kept"


def statements(frames: Frames, names: Names) -> list[Finding]:
    """Return the findings of `step_pairs` and `matched` on every loss beside the reference."""
    found = [*_forming(frames, names), *_matched(frames, names), *_across(frames, names)]
    formed = [finding for finding in found if finding.id.startswith("forms.")]
    widest = max(formed, key=lambda finding: abs(finding.high - finding.low), default=None)
    return [finding._replace(rank=5 * (finding is widest)) for finding in found]


def _forming(frames: Frames, names: Names) -> list[Finding]:
    if "step_pairs" not in frames:
        return []
    rows = frames["step_pairs"].dropna(subset="cosine")
    rows = rows[rows.step_a == rows.step_b].assign(value=rows.cosine)
    losses = rows[rows.replicate.isna() | (rows.replicate == "")]
    same = rows[rows.replicate == "order"]
    return [
        _of_two(methods, part, same, names)
        for methods, part in by_methods(losses, names)
        if names.reference in methods and part.step_a.nunique() > 1
    ]


def _of_two(methods: tuple[str, str], rows: pd.DataFrame, same: pd.DataFrame, names: Names) -> Finding:
    a, b = (names.title(label) for label in methods)
    first, last = int(rows.step_a.min()), int(rows.step_a.max())
    early, late = rows[rows.step_a == first], rows[rows.step_a == last]
    reshuffled = same[same.step_a == first]
    beside = f" One loss with its data in another order has {decimal(reshuffled.value.min())} after {first} steps."
    row = late.iloc[0]
    return Finding(
        id=f"forms.{pair_id(*methods)}",
        question=f"How does the direction of {b} leave that of {a} during training?",
        statement=f"After {first} of {last} steps {a} and {b} have cosine {decimal(early.value.mean())}"
        f"{over_seeds(list(early.value))}, at the end {decimal(late.value.mean())}{over_seeds(list(late.value))}."
        f"{beside if len(reshuffled) else ''}",
        value=late.value.mean() - early.value.mean(),
        low=early.value.mean(),
        high=late.value.mean(),
        interval="from the first steps that were kept to the end",
        unit="difference of cosines",
        chance=f"at most ± {decimal(1.96 * rows.cosine_sd.max())}",
        seeds=len(late),
        agreeing=len(late),
        verdict="apart" if late.value.mean() < early.value.mean() else "together",
        not_shown=NOT_SHOWN,
        section="cosine_by_step",
        view=view(focus=pair_id(row.run_a, row.run_b)),
        pair=pair_id(*methods),
    )


def _matched(frames: Frames, names: Names) -> list[Finding]:
    if "matched" not in frames:
        return []
    rows = frames["matched"].dropna(subset="cosine")
    rows = rows[
        (rows.replicate.isna() | (rows.replicate == "")) & rows["at"].isin(["norm", "KL"]) & rows.end.astype(bool)
    ]
    rows = rows.assign(value=rows.cosine)
    return [_equal(methods, part, names) for methods, part in by_methods(rows, names) if names.reference in methods]


def _equal(methods: tuple[str, str], rows: pd.DataFrame, names: Names) -> Finding:
    a, b = (names.title(label) for label in methods)
    told = []
    for at, part in rows.groupby("at", sort=False):
        told.append(
            f"at equal {at} ({small(part.level.mean())}) {decimal(part.value.mean())}{over_seeds(list(part.value))}"
        )
    row = rows.iloc[0]
    return Finding(
        id=f"matched.{pair_id(*methods)}",
        question=f"Are {a} and {b} alike where they went equally far?",
        statement=f"{a} and {b}, the one that goes further stopped where the other ends, have cosine {', and '.join(told)}.",
        value=rows.value.mean(),
        low=rows.value.min(),
        high=rows.value.max(),
        interval="range over what they share, and over seeds",
        unit="cosine",
        chance=f"at most ± {decimal(1.96 * rows.cosine_sd.max())}",
        seeds=rows.groupby(["run_a", "run_b"]).ngroups,
        agreeing=0,
        verdict=", ".join(dict.fromkeys(rows.verdict.dropna().astype(str))),
        not_shown=NOT_SHOWN,
        section="cosine_by_step",
        view=view(focus=pair_id(row.run_a, row.run_b)),
        pair=pair_id(*methods),
    )


def _across(frames: Frames, names: Names) -> list[Finding]:
    """Return which step of the reference lies closest to where another loss ends."""
    if "step_pairs" not in frames:
        return []
    rows = frames["step_pairs"].dropna(subset="cosine")
    rows = rows[rows.replicate.isna() | (rows.replicate == "")].assign(value=rows.cosine)
    ended = rows.groupby(["run_a", "run_b"]).step_b.transform("max")
    found = []
    for methods, part in by_methods(rows[rows.step_b == ended], names):
        a, b = (names.title(label) for label in methods)
        # The first run of a pair is the reference's, as rows of the table are those of the first.
        first = names.runs[part.run_a.iloc[0]].label == methods[0]
        means = part.groupby("step_a").value.mean()
        if names.reference not in methods or not first or len(means) < 2:
            continue
        nearest, last = int(means.idxmax()), int(means.index.max())
        at_nearest = part[part.step_a == nearest]
        found.append(
            Finding(
                id=f"across.{pair_id(*methods)}",
                question=f"Which step of {a} is closest to where {b} ends?",
                statement=f"Of the steps of {a} that were kept, {nearest} of {last} is closest to where {b} ends: cosine"
                f" {decimal(means[nearest])}{over_seeds(list(at_nearest.value))}; step {int(means.idxmin())} is furthest,"
                f" {decimal(means.min())}.",
                value=means[nearest],
                low=at_nearest.value.min(),
                high=at_nearest.value.max(),
                interval=SEEDS,
                unit="cosine",
                chance=f"at most ± {decimal(1.96 * part.cosine_sd.max())}",
                seeds=len(at_nearest),
                verdict=f"step {nearest}",
                not_shown=NOT_SHOWN,
                section="step_map",
                view=view(focus=pair_id(part.run_a.iloc[0], part.run_b.iloc[0])),
                pair=pair_id(*methods),
            )
        )
    return found
