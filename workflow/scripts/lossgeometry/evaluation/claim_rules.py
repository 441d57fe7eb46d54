"""The rules behind the claims: each reads the evidence and gives what was found, its band and a verdict.

A rule takes the evidence and its entry in resources/paper_reference.yaml, whose `at_least` or `at_most` is the limit of
agreement and `contradicts` that of contradiction. It lets Missing pass where something was not run.
"""

import math
from collections.abc import Callable
from itertools import combinations, product

import numpy as np

from lossgeometry.evaluation.claim_findings import (
    Entry,
    Finding,
    all_of,
    barrier_finding,
    chance_band,
    cosines,
    listed,
    plain,
    within,
)
from lossgeometry.evaluation.evidence import Evidence, Missing

FAMILY = ("sft", "rft", "rift")
REWARD_WEIGHTED = ("rft", "rift", "offline_grpo")
OFFLINE = ("sft", "rft", "dft", "rift", "offline_grpo", "dpo")
ON_POLICY = ("online_grpo", "online_dapo")
FINDABLE_DIFFERENCE = 0.05
"""Claims of equal accuracy need a benchmark on which a difference of 5 points would have been found."""


def colinear(evidence: Evidence, entry: Entry) -> Finding:
    found = cosines(evidence, list(combinations(FAMILY, 2)))
    least = np.min([value.value for value in found.values()])
    return Finding(listed(plain(found)), chance_band(list(found.values())), within(least, entry))


def equal_accuracy(evidence: Evidence, entry: Entry) -> Finding:
    runs = [evidence.run(label) for label in FAMILY]
    tests = {f"{a.label}-{b.label}": evidence.mcnemar(a.id, b.id) for a, b in combinations(runs, 2)}
    findable = float(evidence.accuracy(runs[0].id).minimum_detectable_difference)
    verdict = "cannot tell"
    if any(test.p_holm < entry["contradicts"] for test in tests.values()):
        verdict = "contradicts"
    elif all(test.p >= entry["at_least"] for test in tests.values()) and findable <= FINDABLE_DIFFERENCE:
        verdict = "agrees"
    ours = ", ".join(f"{name} p {test.p:.3g} ({test.b} against {test.c})" for name, test in tests.items())
    return Finding(f"{ours} on {evidence.benchmark()}", f"smallest difference it can find: {findable:.3f}", verdict)


def dft_distance(evidence: Evidence, entry: Entry) -> Finding:
    others = evidence.present(REWARD_WEIGHTED)
    if not others:
        raise Missing("no reward-weighted method was run")
    found = cosines(evidence, [("sft", label) for label in ("dft", *others)])
    gap = np.min([found[f"sft-{label}"].value for label in others]) - found["sft-dft"].value
    absent = sorted(set(REWARD_WEIGHTED) - set(others))
    caveat = f"Without {', '.join(absent)}, which was not run." if absent else ""
    ours = f"{gap:+.3f} ({listed(plain(found))})"
    return Finding(ours, chance_band(list(found.values())), within(gap, entry), caveat)


def partly_orthogonal(evidence: Evidence, entry: Entry) -> Finding:
    sft, grpo = evidence.run("sft").id, evidence.run("offline_grpo").id
    share, cosine = evidence.pair(sft, grpo, "orthogonal_fraction"), evidence.pair(sft, grpo, "cosine")
    verdict = within(share.value, entry)
    if verdict == "agrees" and not cosine.above_chance:
        verdict = "contradicts" if not math.isnan(cosine.null_sd) else "cannot tell"
    return Finding(f"{share.value:.3f} (cosine {cosine.value:.3f})", chance_band([cosine]), verdict)


def depth(evidence: Evidence, entry: Entry) -> Finding:
    sft, grpo = evidence.run("sft").id, evidence.run("offline_grpo").id
    by_layer = evidence.layers(sft, grpo, "orthogonal_fraction").to_numpy()
    if len(by_layer) < 3:
        return Finding(f"{len(by_layer)} layers", "", "cannot tell")
    _, middle, last = np.array_split(by_layer, 3)
    growth = last.mean() - middle.mean()
    ours = f"{growth:+.3f} ({last.mean():.3f} - {middle.mean():.3f}, {len(by_layer)} layers)"
    band = f"layers from {np.min(by_layer):.3f} to {np.max(by_layer):.3f}"
    return Finding(ours, band, within(growth, entry))


def barrier_between(a: str, b: str) -> Callable[[Evidence, Entry], Finding]:
    def rule(evidence: Evidence, entry: Entry) -> Finding:
        return barrier_finding({f"{a}-{b}": evidence.barriers(evidence.run(a).id, evidence.run(b).id)}, entry)

    return rule


def dpo_orthogonal(evidence: Evidence, entry: Entry) -> Finding:
    found = cosines(evidence, [("sft", "dpo")])
    return Finding(listed(plain(found)), chance_band(list(found.values())), within(abs(found["sft-dpo"].value), entry))


def late_collapse(evidence: Evidence, entry: Entry) -> Finding:
    dpo = evidence.run("dpo").id
    others = evidence.present(("offline_grpo", "dft"))
    if not others:
        raise Missing("neither offline_grpo nor dft was run")
    ratios, bands = {}, []
    for label in others:
        curve = evidence.cka(evidence.run(label).id, dpo)
        early = float(curve.value.iloc[: max(1, len(curve) // 2)].median())
        last = curve.iloc[-1]
        ratios[f"{label}-dpo"] = last.value / early
        bands.append(f"last layer {last.low:.3f} to {last.high:.3f}")
    verdict = all_of([within(ratio, entry) for ratio in ratios.values()])
    return Finding(listed(ratios), ", ".join(bands), verdict)


def dpo_best(evidence: Evidence, entry: Entry) -> Finding:
    dpo = evidence.run("dpo").id
    others = {label: evidence.run(label).id for label in evidence.present(OFFLINE) if label != "dpo"}
    if not others:
        raise Missing("no other offline method was run")
    ours = evidence.accuracy(dpo)
    gains = {label: ours.accuracy - evidence.accuracy(run).accuracy for label, run in others.items()}
    # Sign and p together: significantly better than, or significantly worse than.
    p_values = {label: evidence.mcnemar(dpo, run).p_holm for label, run in others.items()}
    verdict = "cannot tell"
    if all(gains[label] > 0 and p_values[label] < entry["at_most"] for label in others):
        verdict = "agrees"
    elif any(gains[label] < 0 and p_values[label] < entry["contradicts"] for label in others):
        verdict = "contradicts"
    best = min(gains, key=gains.get)
    words = f"{gains[best]:+.3f} ({ours.accuracy:.3f}; best other {best}, p {p_values[best]:.3g} after Holm)"
    band = f"smallest difference {evidence.benchmark()} can find: {ours.minimum_detectable_difference:.3f}"
    return Finding(words, band, verdict)


def on_policy_orthogonal(evidence: Evidence, entry: Entry) -> Finding:
    online, offline = evidence.present(ON_POLICY), evidence.present(OFFLINE)
    if not online or not offline:
        raise Missing("no on-policy method was run beside an offline one")
    # An experiment need not compare all of them: the claim is read on those that it does.
    found, missing = {}, []
    for pair in product(offline, online):
        try:
            found |= cosines(evidence, [pair])
        except Missing as reason:
            missing.append(reason)
    if not found:
        raise missing[0]
    largest = max(found, key=lambda name: abs(found[name].value))
    return Finding(
        f"{abs(found[largest].value):.3f} ({largest}, of {len(found)} pairs)",
        chance_band(list(found.values())),
        within(abs(found[largest].value), entry),
    )


def on_policy_apart(evidence: Evidence, entry: Entry) -> Finding:
    found = cosines(evidence, [ON_POLICY])
    value = found["-".join(ON_POLICY)]
    return Finding(f"{value.value:.3f}", chance_band([value]), within(abs(value.value), entry))


def on_policy_accuracy(evidence: Evidence, entry: Entry) -> Finding:
    online = evidence.present(ON_POLICY)
    if not online:
        raise Missing("no on-policy method was run")
    rows = {label: evidence.accuracy(evidence.run(label).id) for label in online}
    verdicts = []
    for row in rows.values():
        if row.difference_high < entry["contradicts"]:
            verdicts.append("contradicts")
        else:
            verdicts.append("agrees" if row.difference_low > entry["at_least"] else "cannot tell")
    ours = ", ".join(f"{label} {row.difference_to_base:+.3f}" for label, row in rows.items())
    band = ", ".join(f"{row.difference_low:+.3f} to {row.difference_high:+.3f}" for row in rows.values())
    return Finding(ours, band, all_of(verdicts))


def seed_cosine(evidence: Evidence, entry: Entry) -> Finding:
    found = {f"{a} {b}": evidence.pair(a, b, "cosine") for a, b in evidence.seed_pairs()}
    largest = np.max([value.value for value in found.values()])
    return Finding(listed(plain(found)), chance_band(list(found.values())), within(largest, entry))


def seed_direction(evidence: Evidence, entry: Entry) -> Finding:
    found = {f"{a} {b}": evidence.pair(a, b, "top_direction", "output") for a, b in evidence.seed_pairs()}
    least = np.min([value.value for value in found.values()])
    return Finding(listed(plain(found)), chance_band(list(found.values())), within(least, entry))


def seed_barrier(evidence: Evidence, entry: Entry) -> Finding:
    found, missing = {}, []
    for a, b in evidence.seed_pairs():
        try:
            found[f"{a} {b}"] = evidence.barriers(a, b)
        except Missing as reason:
            missing.append(reason)
    if not found:
        raise missing[0]
    return barrier_finding(found, entry)


def rate_rotation(evidence: Evidence, entry: Entry) -> Finding:
    found = {f"{low} {high}": evidence.pair(low, high, "cosine") for low, high, _ in evidence.learning_rate_pairs()}
    largest = np.max([value.value for value in found.values()])
    return Finding(listed(plain(found)), chance_band(list(found.values())), within(largest, entry))


def rate_norm(evidence: Evidence, entry: Entry) -> Finding:
    growth = {}
    for low, high, ratio in evidence.learning_rate_pairs():
        before, after = evidence.both(low, high, "norm")
        growth[f"{low} {high}"] = (after / before) ** (math.log(10) / math.log(ratio))
    return Finding(listed(growth), "", within(np.max(list(growth.values())), entry))


def dpo_over_sft(metric: str) -> Callable[[Evidence, Entry], Finding]:
    def rule(evidence: Evidence, entry: Entry) -> Finding:
        dpo, sft = evidence.both(evidence.run("dpo").id, evidence.run("sft").id, metric)
        return Finding(f"{dpo / sft:.3f} ({dpo:.3g} / {sft:.3g})", "", within(dpo / sft, entry))

    return rule


RULES: dict[tuple[str, str], Callable[[Evidence, Entry], Finding]] = {
    ("i", "colinear"): colinear,
    ("i", "accuracy"): equal_accuracy,
    ("ii", "distance"): dft_distance,
    ("iii", "orthogonal"): partly_orthogonal,
    ("iii", "depth"): depth,
    ("iii", "basin"): barrier_between("sft", "offline_grpo"),
    ("iv", "orthogonal"): dpo_orthogonal,
    ("iv", "barrier"): barrier_between("rift", "dpo"),
    ("iv", "representations"): late_collapse,
    ("iv", "accuracy"): dpo_best,
    ("v", "offline"): on_policy_orthogonal,
    ("v", "each other"): on_policy_apart,
    ("v", "accuracy"): on_policy_accuracy,
    ("vi", "cosine"): seed_cosine,
    ("vi", "direction"): seed_direction,
    ("vi", "barrier"): seed_barrier,
    ("vii", "rotation"): rate_rotation,
    ("vii", "norm"): rate_norm,
    ("viii", "norm"): dpo_over_sft("norm"),
    ("viii", "rank"): dpo_over_sft("effective_rank"),
}
