"""The rules behind the claims: each reads the evidence in every replicate and gives one finding.

A rule takes the evidence, its entry in resources/paper_reference.yaml, whose `at_least` or `at_most` is the limit of
agreement and `contradicts` that of contradiction, and whether to read the runs at learning rates that the methods share.
It lets Missing pass where something was not run.
"""

import math
from collections.abc import Callable, Mapping
from itertools import combinations, product

import numpy as np

from lossgeometry.claims.accuracy_rules import dpo_best, equal_accuracy, on_policy_accuracy
from lossgeometry.claims.evidence import Evidence, Missing, Value
from lossgeometry.claims.findings import (
    CANNOT_TELL,
    DIFFERS,
    SAME,
    Entry,
    Finding,
    Reading,
    barrier_readings,
    conclude,
    cosines,
    listed,
    plain,
    reading,
)
from lossgeometry.claims.size_rules import apart_in_direction, divergence_ratio, ratio_of
from lossgeometry.evaluation.questions import EQUAL_FAMILY, OFFLINE, ON_POLICY
from lossgeometry.experiment.runs import Run
from lossgeometry.geometry.beside import BEYOND

REWARD_WEIGHTED = ("rft", "rift", "offline_grpo")
ONE_SEED = "one seed only; add a second to seeds"
ONE_PAIR = "one pair only; add a seed, or seeds or learning rates of another method"

Rule = Callable[[Evidence, Entry, bool], Finding]
Members = Mapping[str, Run]


def in_every_group(evidence: Evidence, groups: Mapping[str, Members], read: Callable[[str, Members], list[Reading]]):
    """Return the readings of all groups; those whose runs were not compared are left out, unless all are."""
    readings, missing = [], [Missing("no group of runs was compared")]
    for group, members in groups.items():
        try:
            readings += read(group, members)
        except Missing as reason:
            missing.append(reason)
    if not readings:
        raise missing[-1]
    return readings


def unless_reshuffled(one: Reading, name: str, value: Value) -> Reading:
    """Return a reading that puts a distance down to the loss; it cannot where a reshuffle may set runs as far apart."""
    if value.reshuffle == BEYOND:
        return one
    why = value.reshuffle_reason or f"reshuffling the data sets a run as far from itself as {name}"
    return one._replace(verdict=CANNOT_TELL, reason=why)


def colinear(evidence: Evidence, entry: Entry, matched: bool) -> Finding:
    def read(group: str, members: Members) -> list[Reading]:
        found = cosines(evidence, members, combinations(members, 2))
        least = np.min([value.value for value in found.values()])
        one = reading(group, least, entry, found.values(), listed(plain(found)))
        least_alike = min(found, key=lambda name: found[name].value)
        if one.verdict == DIFFERS:
            one = unless_reshuffled(one, least_alike, found[least_alike])
        absent = [label for label in EQUAL_FAMILY if label not in members]
        if absent and one.verdict == SAME:  # the smallest of fewer cosines may be too large, never too small
            one = one._replace(verdict=CANNOT_TELL, reason=f"{' and '.join(absent)} lack this seed (methods.*.seeds)")
        return [one]

    return conclude(in_every_group(evidence, evidence.groups(EQUAL_FAMILY, matched), read), ONE_SEED)


def dft_distance(evidence: Evidence, entry: Entry, matched: bool) -> Finding:
    absent = sorted(set(REWARD_WEIGHTED) - {run.label for run in evidence.runs})
    if len(absent) == len(REWARD_WEIGHTED):
        raise Missing("no reward-weighted method was run")

    def read(group: str, members: Members) -> list[Reading]:
        others = [label for label in REWARD_WEIGHTED if label in members]
        near = cosines(evidence, members, [("sft", label) for label in others])
        far = cosines(evidence, members, [("sft", "dft")])
        gap = np.min([value.value for value in near.values()]) - far["sft-dft"].value
        found = far | near
        one = reading(group, gap, entry, found.values(), f"{gap:+.3f} ({listed(plain(found))})")
        return [unless_reshuffled(one, "sft-dft", far["sft-dft"]) if one.verdict == SAME else one]

    groups = evidence.groups(("sft", "dft", *REWARD_WEIGHTED), matched, required=("sft", "dft"))
    caveat = f"Without {', '.join(absent)}, which was not run." if absent else ""
    return conclude(in_every_group(evidence, groups, read), ONE_SEED, caveat=caveat)


def of_two(a: str, b: str, read: Callable[[Evidence, Entry, str, Run, Run], list[Reading]]) -> Rule:
    """Return the rule that reads one pair of methods in every group."""

    def rule(evidence: Evidence, entry: Entry, matched: bool) -> Finding:
        groups = evidence.groups((a, b), matched, required=(a, b))
        found = in_every_group(evidence, groups, lambda group, of: read(evidence, entry, group, of[a], of[b]))
        return conclude(found, ONE_SEED)

    return rule


def partly_orthogonal(evidence: Evidence, entry: Entry, group: str, sft: Run, grpo: Run) -> list[Reading]:
    share = evidence.pair(sft.id, grpo.id, "orthogonal_fraction")
    cosine = evidence.pair(sft.id, grpo.id, "cosine")
    one = reading(group, share.value, entry, [cosine], f"{share.value:.3f} (cosine {cosine.value:.3f})")
    if one.verdict == SAME and math.isnan(cosine.null_sd):
        one = one._replace(verdict=CANNOT_TELL, reason="the cosine has no chance level")
    elif one.verdict == SAME and not cosine.above_chance:
        one = one._replace(verdict=DIFFERS)
    elif one.verdict == SAME and cosine.value <= cosine.control:
        why = f"the cosine is no larger than a control's, {cosine.control:.3f}, which knows no reward"
        one = one._replace(verdict=CANNOT_TELL, reason=why)
    return [one]


def depth(evidence: Evidence, entry: Entry, group: str, sft: Run, grpo: Run) -> list[Reading]:
    by_layer = evidence.layers(sft.id, grpo.id, "orthogonal_fraction").to_numpy()
    if len(by_layer) < 3:
        return [Reading(group, math.nan, f"{len(by_layer)} layers", CANNOT_TELL, "it needs three layers")]
    _, middle, last = np.array_split(by_layer, 3)
    growth = last.mean() - middle.mean()
    words = f"{growth:+.3f} ({last.mean():.3f} - {middle.mean():.3f}, {len(by_layer)} layers)"
    band = f"layers from {np.min(by_layer):.3f} to {np.max(by_layer):.3f}"
    return [reading(group, growth, entry, words=words)._replace(band=band)]


def barrier(evidence: Evidence, entry: Entry, group: str, a: Run, b: Run) -> list[Reading]:
    return barrier_readings(group, f"{a.label}-{b.label}", evidence.barriers(a.id, b.id), entry)


def orthogonal(evidence: Evidence, entry: Entry, group: str, a: Run, b: Run) -> list[Reading]:
    value = evidence.pair(a.id, b.id, "cosine")
    return [reading(group, abs(value.value), entry, [value], f"{a.label}-{b.label} {value.value:.3f}")]


def late_collapse(evidence: Evidence, entry: Entry, matched: bool) -> Finding:
    def read(group: str, members: Members) -> list[Reading]:
        ratios, bands = {}, []
        for label in members:
            if label != "dpo":
                curve = evidence.cka(members[label].id, members["dpo"].id)
                last = curve.iloc[-1]
                ratios[f"{label}-dpo"] = last.value / float(curve.value.iloc[: max(1, len(curve) // 2)].median())
                bands.append(f"last layer {last.low:.3f} to {last.high:.3f}")
        if not ratios:
            raise Missing("neither offline_grpo nor dft was run")
        # The larger ratio decides: agreement needs both.
        one = reading(group, float(np.max(list(ratios.values()))), entry, words=listed(ratios))
        return [one._replace(band=", ".join(bands))]

    groups = evidence.groups(("offline_grpo", "dft", "dpo"), matched, required=("dpo",))
    return conclude(in_every_group(evidence, groups, read), ONE_SEED)


def on_policy_orthogonal(evidence: Evidence, entry: Entry, matched: bool) -> Finding:
    def read(group: str, members: Members) -> list[Reading]:
        # An experiment need not compare all of them: the claim is read on those that it does.
        pairs = [pair for pair in product(OFFLINE, ON_POLICY) if set(pair) <= set(members)]
        found = cosines(evidence, members, pairs)
        largest = max(found, key=lambda name: abs(found[name].value))
        size = abs(found[largest].value)
        return [reading(group, size, entry, found.values(), f"{size:.3f} ({largest}, of {len(found)} pairs)")]

    groups = evidence.groups((*OFFLINE, *ON_POLICY), matched)
    return conclude(in_every_group(evidence, groups, read), ONE_SEED)


def _of_pairs(found: Mapping[str, Value], entry: Entry) -> Finding:
    return conclude([reading(name, value.value, entry, [value]) for name, value in found.items()], ONE_PAIR)


def seed_cosine(evidence: Evidence, entry: Entry, matched: bool) -> Finding:
    return _of_pairs({f"{a} {b}": evidence.pair(a, b, "cosine") for a, b in evidence.seed_pairs()}, entry)


def seed_direction(evidence: Evidence, entry: Entry, matched: bool) -> Finding:
    pairs = evidence.seed_pairs()
    return _of_pairs({f"{a} {b}": evidence.pair(a, b, "top_direction", "output") for a, b in pairs}, entry)


def seed_barrier(evidence: Evidence, entry: Entry, matched: bool) -> Finding:
    readings, missing = [], []
    for a, b in evidence.seed_pairs():
        try:
            readings += barrier_readings(f"{a} {b}", "", evidence.barriers(a, b), entry)
        except Missing as reason:
            missing.append(reason)
    if not readings:
        raise missing[0]
    return conclude(readings, ONE_PAIR)


def rate_rotation(evidence: Evidence, entry: Entry, matched: bool) -> Finding:
    pairs = evidence.learning_rate_pairs()
    return _of_pairs({f"{low} {high}": evidence.pair(low, high, "cosine") for low, high, _ in pairs}, entry)


def rate_norm(evidence: Evidence, entry: Entry, matched: bool) -> Finding:
    readings = []
    for low, high, ratio in evidence.learning_rate_pairs():
        before, after = evidence.both(low, high, "norm")
        growth = (after / before) ** (math.log(10) / math.log(ratio))
        readings.append(reading(f"{low} {high}", growth, entry))
    return conclude(readings, ONE_PAIR)


RULES: dict[tuple[str, str], Rule] = {
    ("i", "colinear"): colinear,
    ("i", "accuracy"): equal_accuracy,
    ("ii", "distance"): dft_distance,
    ("iii", "orthogonal"): of_two("sft", "offline_grpo", partly_orthogonal),
    ("iii", "depth"): of_two("sft", "offline_grpo", depth),
    ("iii", "basin"): of_two("sft", "offline_grpo", barrier),
    ("iv", "orthogonal"): of_two("sft", "dpo", orthogonal),
    ("iv", "direction"): apart_in_direction([("sft", "dpo")]),
    ("iv", "barrier"): of_two("rift", "dpo", barrier),
    ("iv", "representations"): late_collapse,
    ("iv", "accuracy"): dpo_best,
    ("v", "offline"): on_policy_orthogonal,
    ("v", "each other"): of_two(*ON_POLICY, orthogonal),
    ("v", "noise"): apart_in_direction(product(OFFLINE, ON_POLICY)),
    ("v", "accuracy"): on_policy_accuracy,
    ("vi", "cosine"): seed_cosine,
    ("vi", "direction"): seed_direction,
    ("vi", "barrier"): seed_barrier,
    ("vii", "rotation"): rate_rotation,
    ("vii", "norm"): rate_norm,
    ("viii", "norm"): of_two("dpo", "sft", ratio_of("norm")),
    ("viii", "kl"): of_two("dpo", "sft", divergence_ratio),
    ("viii", "rank"): of_two("dpo", "sft", ratio_of("effective_rank")),
}
