"""The rules about size: norms and divergences, and directions where sizes are equal."""

import math
from collections.abc import Callable, Iterable, Mapping

from lossgeometry.claims.evidence import Evidence, Missing
from lossgeometry.claims.findings import CANNOT_TELL, DIFFERS, SAME, Entry, Finding, Reading, conclude, reading
from lossgeometry.experiment.runs import Run
from lossgeometry.geometry.replicates import APART, ONE_DIRECTION

ONE_SEED = "one seed only; add a second to seeds"


def apart_in_direction(pairs: Iterable[tuple[str, str]]) -> Callable[[Evidence, Entry, bool], Finding]:
    """Return the rule of a difference that is of direction: at equal size, and beyond what replicates of each differ by."""
    named = list(pairs)

    def rule(evidence: Evidence, entry: Entry, matched: bool) -> Finding:
        labels = tuple(dict.fromkeys(label for pair in named for label in pair))
        required = named[0] if len(named) == 1 else ()
        readings, missing = [], [Missing("no group of runs was compared")]
        for group, members in evidence.groups(labels, required=required).items():
            for a, b in named:
                if a in members and b in members:
                    try:
                        readings += _at_equal_size(evidence, entry, group, members, (a, b))
                    except Missing as reason:
                        missing.append(reason)
        if not readings:
            raise missing[-1]
        return conclude(readings, ONE_SEED)

    return rule


def _at_equal_size(
    evidence: Evidence, entry: Entry, group: str, members: Mapping[str, Run], pair: tuple[str, str]
) -> list[Reading]:
    name = "-".join(pair)
    corrected = evidence.corrected(*pair)
    said = ", ".join(f"{row.kind} {row.corrected:.3f} ({row.low:.3f} to {row.high:.3f})" for row in corrected)
    found = []
    for at, value in evidence.at_equal_size(members[pair[0]].id, members[pair[1]].id).items():
        one = reading(group, value.value, entry, [value], f"{name} {value.value:.3f} at equal {at}")
        verdicts = {row.verdict for row in corrected}
        if ONE_DIRECTION in verdicts:
            one = one._replace(verdict=DIFFERS, reason="")
        elif one.verdict == SAME and verdicts != {APART}:
            why = (
                f"replicates of {name} do not tell it from noise: {said or 'there are none; add further_seeds to both'}"
            )
            one = one._replace(verdict=CANNOT_TELL, reason=why)
        found.append(one._replace(words=f"{one.words}, corrected for noise {said}" if said else one.words))
    return found


def ratio_of(metric: str) -> Callable[[Evidence, Entry, str, Run, Run], list[Reading]]:
    def read(evidence: Evidence, entry: Entry, group: str, a: Run, b: Run) -> list[Reading]:
        first, second = evidence.both(a.id, b.id, metric)
        return [reading(group, first / second, entry, words=f"{first / second:.3f} ({first:.3g} / {second:.3g})")]

    return read


def divergence_ratio(evidence: Evidence, entry: Entry, group: str, a: Run, b: Run) -> list[Reading]:
    first, second = evidence.divergence(a.id), evidence.divergence(b.id)
    ratio = first / second if second > 0 else math.nan
    return [reading(group, ratio, entry, words=f"{ratio:.3f} ({first:.3g} / {second:.3g} nats per token)")]
