"""What a rule gives back, and how its readings become one verdict against the limits of resources/paper_reference.yaml."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from lossgeometry.claims.evidence import Barrier, Evidence, Missing, Value
from lossgeometry.connectivity.verdicts import BARRIER, NO_BARRIER
from lossgeometry.experiment.runs import Run
from lossgeometry.geometry.chance import band

Entry = Mapping[str, Any]
SAME, DIFFERS, CANNOT_TELL, NOT_TESTED = "same here", "differs here", "cannot tell", "not tested"
"""The verdicts on a claim; the last two come with a reason."""


MATCHED_SEED = (
    "one seed only at learning rates that are shared; set methods.*.rates_at_all_seeds, with a second in seeds"
)


class Reading(NamedTuple):
    """What one replicate says: a seed, a learning rate of one seed, or a pair of seeds."""

    group: str
    value: float
    """The quantity that the entry names; NaN where it is undefined or, for accuracies, not one number."""
    words: str
    verdict: str
    """SAME, DIFFERS or CANNOT_TELL."""
    reason: str = ""
    """Why it cannot tell."""
    chance: tuple[Value, ...] = ()
    band: str = ""
    loss: str = ""
    """Of barriers: only values of one loss are compared with each other."""


class Finding(NamedTuple):
    """What a rule found, in words and numbers, and the verdict that holds in every reading."""

    ours: str
    band: str
    """Chance level or interval."""
    verdict: str
    reason: str
    replicates: str
    smallest_difference: float
    """What the verdict could have seen: for accuracies four times out of five, else the spread of the readings."""
    decoding: str = ""
    caveat: str = ""
    low: float = math.nan
    high: float = math.nan
    """The smallest and the largest reading; NaN where they are no numbers."""
    predicted: str = ""
    """What gradients said of the same cosines before training, and what training added."""


def reading(group: str, value: float, entry: Entry, chance: Iterable[Value] = (), words: str = "") -> Reading:
    """Return the reading of a single number against the entry's two limits."""
    verdict, reason = within(value, entry)
    return Reading(group, value, words or f"{value:.3f}", verdict, reason, tuple(chance))


def within(value: float, entry: Entry) -> tuple[str, str]:
    """Return what a number says against the two limits, and why it says nothing."""
    if math.isnan(value):
        return CANNOT_TELL, "the value is undefined"
    if "at_least" in entry:
        same, differs = value >= entry["at_least"], value < entry["contradicts"]
    else:
        same, differs = value <= entry["at_most"], value > entry["contradicts"]
    if not same and not differs:
        return CANNOT_TELL, f"{value:.3f} lies between the two limits"
    return (SAME if same else DIFFERS), ""


def conclude(
    readings: Sequence[Reading],
    replicate: str,
    smallest_difference: float = math.nan,
    decoding: str = "",
    caveat: str = "",
) -> Finding:
    """Return the finding of several readings: a verdict needs all of them, and at least two seeds or pairs of runs.

    Parameters
    ----------
    replicate
        What a single reading lacks, and the key that would change it.
    smallest_difference
        NaN takes the spread of the readings, below which no limit can be told from what a replicate alone changes.
    """
    verdicts = {one.verdict for one in readings}
    if verdicts == {SAME} or verdicts == {DIFFERS}:
        verdict, reason = verdicts.pop(), ""
        if len({one.group.rpartition(", ")[2] for one in readings}) < 2:
            verdict, reason = CANNOT_TELL, MATCHED_SEED if "learning rate" in readings[0].group else replicate
    elif {SAME, DIFFERS} <= verdicts:
        verdict = CANNOT_TELL
        sides = [
            ", ".join(one.group + f" ({one.loss})" * bool(one.loss) for one in readings if one.verdict == side)
            for side in (SAME, DIFFERS)
        ]
        reason = f"the replicates disagree: the same in {sides[0]}, different in {sides[1]}"
    else:
        verdict = CANNOT_TELL
        reasons = (f"{one.group}: {one.reason}" for one in readings if one.verdict == CANNOT_TELL)
        reason = "; ".join(dict.fromkeys(reasons))
    if math.isnan(smallest_difference):
        smallest_difference = _spread(readings)
    bands = list(dict.fromkeys(one.band for one in readings if one.band))
    chance = [value for one in readings for value in one.chance]
    values = [one.value for one in readings if not math.isnan(one.value)]
    return Finding(
        ours="; ".join(f"{one.group}: {one.words}" for one in readings),
        band="; ".join(bands) if bands else chance_band(chance) if chance else "",
        verdict=verdict,
        reason=reason,
        replicates="; ".join(dict.fromkeys(one.group for one in readings)),
        smallest_difference=smallest_difference,
        decoding=decoding,
        caveat=caveat,
        predicted=_predicted(readings),
        low=min(values, default=math.nan),
        high=max(values, default=math.nan),
    )


def _predicted(readings: Sequence[Reading]) -> str:
    said = []
    for one in readings:
        known = {value.name: value for value in one.chance if not math.isnan(value.predicted)}
        pairs = (f"{name} {value.predicted:.3f} {value.value - value.predicted:+.3f}" for name, value in known.items())
        said.append(f"{one.group}: {', '.join(pairs)}" if known else "")
    return "; ".join(filter(None, said))


def _spread(readings: Sequence[Reading]) -> float:
    """Return the largest difference between two defined values of one loss; NaN where no loss has two."""
    by_loss: dict[str, list[float]] = {}
    for one in readings:
        if not math.isnan(one.value):
            by_loss.setdefault(one.loss, []).append(one.value)
    return max((max(values) - min(values) for values in by_loss.values() if len(values) > 1), default=math.nan)


def cosines(evidence: Evidence, members: Mapping[str, Run], pairs: Iterable[tuple[str, str]]) -> dict[str, Value]:
    """Return the global cosines of those of the pairs of labels that were compared.

    Raises
    ------
    Missing
        If none was.
    """
    found, missing = {}, [Missing("too few of its methods were run")]
    for a, b in pairs:
        try:
            found[f"{a}-{b}"] = evidence.pair(members[a].id, members[b].id, "cosine")
        except Missing as reason:
            missing.append(reason)
    if not found:
        raise missing[-1]
    return found


def listed(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in values.items())


def chance_band(values: Sequence[Value]) -> str:
    """The widest chance band of some values, and what they are read beside, in words."""
    ends = np.abs([band(value.null_mean, value.null_sd) for value in values])
    said = [f"chance up to {np.nanmax(ends):.3f} in size" if np.isfinite(ends).any() else "no chance level"]
    controls = [value.control for value in values if not math.isnan(value.control)]
    if controls:
        said.append(f"controls {min(controls):.3f} to {max(controls):.3f}")
    of = {value.replicate_of: value.replicate for value in values if not math.isnan(value.replicate)}
    said += [f"a reshuffle of {name.replace(';', ' and ')} {value:.3f}" for name, value in of.items()]
    return ", ".join(said)


def plain(values: Mapping[str, Value]) -> dict[str, float]:
    return {name: value.value for name, value in values.items()}


def barrier_readings(group: str, name: str, barriers: Sequence[Barrier], entry: Entry) -> list[Reading]:
    """The verdict of `tables/barriers.csv` that the entry expects, or its opposite: one reading for every loss."""
    opposite = {BARRIER: NO_BARRIER, NO_BARRIER: BARRIER}[entry["expects"]]
    said = {entry["expects"]: SAME, opposite: DIFFERS}
    readings, band = [], "95 % over sequences, the choice of t counted"
    for one in barriers:
        verdict = said.get(one.verdict, CANNOT_TELL)
        found = f"{one.verdict}, {one.height:.4f} ({one.low:.4f} to {one.high:.4f}, {one.loss})"
        reason = one.reason if verdict == CANNOT_TELL else ""
        readings.append(
            Reading(group, one.height, f"{name} {found}".strip(), verdict, reason, band=band, loss=one.loss)
        )
    return readings
