"""Preference pairs from graded rollouts. Light: the configuration imports the rule's type from here."""

from typing import Literal

PairRule = Literal["one_per_prompt", "all_cross"]


def preference_pairs(rollouts, rule: PairRule):
    """Return the row labels (correct, wrong) of every pair, in the order of the rollouts; only mixed groups have any.

    Parameters
    ----------
    rollouts
        DataFrame with `prompt_id` and `reward`.
    """
    pairs = []
    for _, group in rollouts.groupby("prompt_id", sort=False):
        correct, wrong = group.index[group.reward > 0], group.index[group.reward <= 0]
        if rule == "one_per_prompt":
            correct, wrong = correct[:1], wrong[:1]
        pairs += [(winner, loser) for winner in correct for loser in wrong]
    return pairs
