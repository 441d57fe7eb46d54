"""What a rule gives back, and how numbers become verdicts against the limits of resources/paper_reference.yaml."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from lossgeometry.evaluation.evidence import Barrier, Evidence, Value
from lossgeometry.geometry.chance import CHANCE_WIDTH

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
    reach = max(abs(value.null_mean) + CHANCE_WIDTH * value.null_sd for value in values)
    return "no chance level" if math.isnan(reach) else f"chance up to {reach:.3f} in size"


def plain(values: Mapping[str, Value]) -> dict[str, float]:
    return {name: value.value for name, value in values.items()}


def barrier_finding(barriers: Mapping[str, list[Barrier]], entry: Entry) -> Finding:
    """Two standard errors below or above the limit, the same in every loss and pair."""
    limit = entry["contradicts"]
    below, above = ("contradicts", "agrees") if "at_least" in entry else ("agrees", "contradicts")
    verdicts, words = [], []
    for name, found in barriers.items():
        for one in found:
            low, high = one.share - 2 * one.error, one.share + 2 * one.error
            verdicts.append(below if high < limit else above if low > limit else "cannot tell")
            words.append(f"{name} {one.share:.4f} ± {2 * one.error:.4f} ({one.loss})")
    disagree = {"agrees", "contradicts"} <= set(verdicts)
    verdict = "cannot tell" if disagree else all_of(verdicts)
    return Finding(", ".join(words), "± two standard errors", verdict, "The losses or pairs disagree." * disagree)
