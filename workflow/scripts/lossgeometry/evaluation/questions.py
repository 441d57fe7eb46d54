"""The questions that paired tests answer: each is one family of Holm's correction, whatever else is compared."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

from lossgeometry.experiment.runs import BASE, Run, first_of_each_start

EQUAL_FAMILY = ("sft", "rft", "rift")
OFFLINE = ("sft", "rft", "dft", "rift", "offline_grpo", "dpo")
ON_POLICY = ("online_grpo", "online_dapo")
LOSSES = "do the losses differ"
CLAIM_EQUAL = "the paper's claim i"
CLAIM_BEST = "the paper's claim iv"
CLAIM_BEST_MATCHED = "the paper's claim iv at matched learning rates"
CLAIM_KEPT = "the paper's claim v"

Pair = tuple[str, str]


class Question(NamedTuple):
    """Pairs of run ids that are tested together; a difference is that of the second run to the first."""

    name: str
    group: str
    """The seed, and where it is part of the question the learning rate: each group is a family of its own."""
    pairs: tuple[Pair, ...]


def questions(runs: Iterable[Run], pairs: Iterable[Pair]) -> list[Question]:
    """Return the questions of an experiment: every pair and every run's change from the base once, then the paper's.

    Parameters
    ----------
    runs
        All runs that are evaluated, without the base.
    pairs
        The pairs that the configuration compares.
    """
    known = {run.id: run for run in runs}
    found: dict[tuple[str, str], dict[Pair, None]] = {}
    for pair in [*((BASE, run) for run in known), *((a, b) for a, b in pairs)]:
        found.setdefault(_asked(pair, known), {})[pair] = None
    return [Question(*key, tuple(tested)) for key, tested in found.items()] + _of_the_paper(
        first_of_each_start(known.values())
    )


def _asked(pair: Pair, runs: Mapping[str, Run]) -> tuple[str, str]:
    """Return the question that a pair answers, and its group."""
    a, b = runs.get(pair[0]), runs[pair[1]]
    if a is None:
        if b.origin == "given":
            return "does an adapter change the base's accuracy", ""
        if b.origin == "derived" and not b.control:
            return "does an edit change the base's accuracy", ""
        if b.origin == "snapshot":
            return "does a snapshot change the base's accuracy", ""
        if b.control:
            return "does a control change the base's accuracy", f"seed {b.seed}"
        rate = "" if b.default else f"learning rate {b.learning_rate:g}, "
        return "does a loss change the base's accuracy", f"{rate}seed {b.seed}"
    if "given" in (a.origin, b.origin):
        return "do the adapters differ", ""
    if a.label == b.label and a.learning_rate == b.learning_rate:
        return f"do the seeds of {a.label} differ", f"learning rate {a.learning_rate:g}"
    if a.label == b.label and a.seed == b.seed:
        return f"do the learning rates of {a.label} differ", f"seed {a.seed}"
    if a.seed == b.seed and (a.control or b.control):
        return "do the losses differ from a control", f"seed {a.seed}"
    if a.seed == b.seed and a.default and b.default:
        return LOSSES, f"seed {a.seed}"
    if a.seed == b.seed and a.learning_rate == b.learning_rate:
        return "do the losses differ at one learning rate", f"learning rate {a.learning_rate:g}, seed {a.seed}"
    return "do the pairs named in the configuration differ", ""


def _of_the_paper(runs: Sequence[Run]) -> list[Question]:
    asked: list[tuple[str, str, Iterable[tuple[Run | str, Run]]]] = []
    for group, members in groups(runs).items():
        equal = [members[label] for label in EQUAL_FAMILY if label in members]
        asked.append((CLAIM_EQUAL, group, combinations(equal, 2)))
        asked.append((CLAIM_BEST, group, _against_dpo(members)))
        asked.append((CLAIM_KEPT, group, [(BASE, members[label]) for label in ON_POLICY if label in members]))
    for group, members in matched_groups(runs).items():
        asked.append((CLAIM_BEST_MATCHED, group, _against_dpo(members)))
    named = [
        Question(name, group, tuple((a if isinstance(a, str) else a.id, b.id) for a, b in tested))
        for name, group, tested in asked
    ]
    return [question for question in named if question.pairs]


def _against_dpo(members: Mapping[str, Run]) -> list[tuple[Run, Run]]:
    others = [members[label] for label in OFFLINE if label in members and label != "dpo"]
    return [(other, members["dpo"]) for other in others] if "dpo" in members else []


def groups(runs: Iterable[Run]) -> dict[str, dict[str, Run]]:
    """Return the runs at their methods' default learning rates, by seed and label."""
    found: dict[str, dict[str, Run]] = {}
    for run in runs:
        if run.default and run.origin == "trained":
            found.setdefault(f"seed {run.seed}", {})[run.label] = run
    return found


def matched_groups(runs: Iterable[Run]) -> dict[str, dict[str, Run]]:
    """Return the runs at each learning rate that several methods share, by learning rate and seed, and by label."""
    found: dict[str, dict[str, Run]] = {}
    for run in runs:
        if run.origin == "trained":
            found.setdefault(f"learning rate {run.learning_rate:g}, seed {run.seed}", {})[run.label] = run
    return {group: members for group, members in found.items() if len(members) > 1}
