"""Whether two losses move the hidden states the same way."""

import pandas as pd

from lossgeometry.files.rows import pair_id
from lossgeometry.findings.finding import Finding, Frames, between, decimal, over_seeds, view
from lossgeometry.findings.names import Names
from lossgeometry.geometry.chance import band_text
from lossgeometry.geometry.statements import by_methods


def statements(frames: Frames, names: Names) -> list[Finding]:
    """Return the findings of `cka`: the cosine of the shifts away from the base after the last layer."""
    if "cka" not in frames:
        return []
    rows = frames["cka"]
    rows = rows[(rows.estimator == "shift_cosine") & (rows.layer == rows.layer.max())].dropna(subset="value")
    pairs = dict(by_methods(rows, names))
    seeds = rows[[_of_two_seeds(row, names) for row in rows.itertuples()]]
    found = {
        methods: _of_two(methods, own, seeds, names) for methods, own in pairs.items() if names.reference in methods
    }
    lowest = min(found, key=lambda methods: found[methods].value, default=None)
    return [one._replace(rank=10 * (methods == lowest)) for methods, one in found.items()]


def _of_two_seeds(row, names: Names) -> bool:
    a, b = names.compared(row.run_a), names.compared(row.run_b)
    return a is not None and b is not None and a.label == b.label == names.reference


def _of_two(methods: tuple[str, str], rows: pd.DataFrame, seeds: pd.DataFrame, names: Names) -> Finding:
    a, b = (names.title(label) for label in methods)
    first, mean = rows.iloc[0], rows.value.mean()
    one = len(rows) == 1
    beside = (
        f" Two seeds of {names.title(names.reference)} have {decimal(seeds.value.mean(), 2)}." if len(seeds) else ""
    )
    chance = "" if pd.isna(first.null_sd) else f"random directions {band_text(first.null_mean, first.null_sd)}"
    beside = (f" {chance[:1].upper()}{chance[1:]}." if chance else "") + beside
    seeds_text = f"two seeds {decimal(seeds.value.mean(), 2)}" if len(seeds) else ""
    ends = f" ({between(first.low, first.high, _two)})" if one else over_seeds(list(rows.value), _two)
    return Finding(
        id=f"hidden.{pair_id(*methods)}",
        question=f"Does {b} compute something else than {a}?",
        statement=f"After the last layer, {a} and {b} shift the hidden states away from the base with cosine"
        f" {decimal(mean, 2)}{ends}.{beside}",
        value=mean,
        low=first.low if one else rows.value.min(),
        high=first.high if one else rows.value.max(),
        interval="95 %, over sequences" if one else "range over seeds",
        unit="cosine",
        chance="; ".join(filter(None, (chance, seeds_text))),
        seeds=len(rows),
        agreeing=len(rows),
        verdict="",
        not_shown="how large the shifts are: CKA of the whole states may be near 1 all the same",
        section="representations",
        view=view(estimator="shift_cosine", layer=str(int(first.layer)), focus=pair_id(first.run_a, first.run_b)),
        pair=pair_id(*methods),
    )


def _two(value: float) -> str:
    return decimal(value, 2)
