"""Other proportions of right and wrong rollouts, from one fixed set."""

import hashlib

import pandas as pd

from lossgeometry.errors import InputError
from lossgeometry.settings.composition import Composition


def compose(rollouts: pd.DataFrame, wanted: Composition) -> pd.DataFrame:
    """Return the rollouts of a composition, in the order that they had, with the rewards that its runs see.

    Rows are ordered by a hash of prompt and sample, and the first of every stratum are taken: the same set gives the same
    subsample, and more of a stratum is a superset of less.

    Raises
    ------
    InputError
        If there are too few rows of a kind.
    """
    right = rollouts.reward > 0
    share = right.groupby(rollouts.prompt_id).transform("mean")
    mixed = (share > 0) & (share < 1)
    names = rollouts.prompt_id + "/" + rollouts["sample"].astype(str)
    order = pd.Series([_place(wanted.seed, name) for name in names], index=rollouts.index)
    taken, flipped = [], []
    rights = round(wanted.rows * wanted.right)
    for verdict, kind, count in (("right", right, rights), ("wrong", ~right, wanted.rows - rights)):
        if wanted.mixed is None:
            found = _first(order[kind], count, f"{verdict} rollouts")
        else:
            part = round(count * wanted.mixed)
            found = _first(order[kind & mixed], part, f"{verdict} rollouts of prompts with both")
            found += _first(order[kind & ~mixed], count - part, f"{verdict} rollouts of prompts with one kind only")
        taken += found
        # The last in the order, so that flips of other shares are nested, too.
        flipped += sorted(found, key=order.get)[len(found) - round(len(found) * wanted.flipped) :]
    composed = rollouts.loc[rollouts.index.isin(taken)].copy()
    turned = composed.index.isin(flipped)
    composed.loc[turned, "reward"] = 1.0 - composed.reward[turned]
    return composed


def _first(order: pd.Series, count: int, what: str) -> list:
    if count > len(order):
        raise InputError(f"rollouts.compose asks for {count} {what}, and there are {len(order)}; lower its rows")
    return list(order.sort_values(kind="stable").index[:count])


def _place(seed: int, name: str) -> str:
    return hashlib.sha256(f"{seed}/{name}".encode()).hexdigest()
