"""What a rule gives back, and how numbers become verdicts against the limits of resources/paper_reference.yaml."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from lossgeometry.connectivity.verdicts import BARRIER, NO_BARRIER
from lossgeometry.evaluation.evidence import Barrier, Evidence, Value
from lossgeometry.geometry.chance import WIDTH

Entry = Mapping[str, Any]


class Finding(NamedTuple):
    """What a rule found: `ours` and `band` in words and numbers, the verdict, and a caveat of this experiment."""

    ours: str
    band: str
    verdict: str
    caveat: str = ""


def within(value: float, entry: Entry) -> str:
    """Verdict of a single number against the entry's two limits; undefined numbers tell nothing."""
    if math.isnan(value):
        return "cannot tell"
    if "at_least" in entry:
        agrees, contradicts = value >= entry["at_least"], value < entry["contradicts"]
    else:
        agrees, contradicts = value <= entry["at_most"], value > entry["contradicts"]
    return "agrees" if agrees else "contradicts" if contradicts else "cannot tell"


def all_of(verdicts: Sequence[str]) -> str:
    """One verdict from several: agreement needs all of them, contradiction one."""
    if "contradicts" in verdicts:
        return "contradicts"
    return "agrees" if set(verdicts) == {"agrees"} else "cannot tell"


def cosines(evidence: Evidence, pairs: Sequence[tuple[str, str]]) -> dict[str, Value]:
    """Global cosines of pairs of methods by name."""
    return {f"{a}-{b}": evidence.pair(evidence.run(a).id, evidence.run(b).id, "cosine") for a, b in pairs}


def listed(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in values.items())


def chance_band(values: Sequence[Value]) -> str:
    """The widest chance band of some cosines, in words."""
    reach = max(abs(value.null_mean) + WIDTH * value.null_sd for value in values)
    return "no chance level" if math.isnan(reach) else f"chance up to {reach:.3f} in size"


def plain(values: Mapping[str, Value]) -> dict[str, float]:
    return {name: value.value for name, value in values.items()}


def barrier_finding(barriers: Mapping[str, list[Barrier]], entry: Entry) -> Finding:
    """The verdict of `tables/barriers.csv` that the entry expects, or its opposite, the same in every loss and pair."""
    opposite = {BARRIER: NO_BARRIER, NO_BARRIER: BARRIER}[entry["expects"]]
    said = {entry["expects"]: "agrees", opposite: "contradicts"}
    every = [(name, one) for name, found in barriers.items() for one in found]
    verdicts = [said.get(one.verdict, "cannot tell") for _, one in every]
    words = [
        f"{name} {one.verdict}, {one.height:.4f} ({one.low:.4f} to {one.high:.4f}, {one.loss})" for name, one in every
    ]
    reasons = list(dict.fromkeys(one.reason for _, one in every if one.reason))
    disagree = {"agrees", "contradicts"} <= set(verdicts)
    verdict = "cannot tell" if disagree else all_of(verdicts)
    caveat = "The losses or pairs disagree." if disagree else "".join(f"{reason}. " for reason in reasons).strip()
    return Finding(", ".join(words), "95 % over sequences, the choice of t counted", verdict, caveat)
