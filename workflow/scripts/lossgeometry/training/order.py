"""The order in which a run sees its data, and which half of it: functions of the seed and of the rows, not of the method."""

import hashlib
from collections.abc import Sequence


def training_order(keys: Sequence[str], count: int, seed: int) -> list[int]:
    """Return the positions of the rows to train on, in order: `count` of them, over as many epochs as that takes.

    In each epoch a row's place is decided by a hash of (seed, epoch, its key). Two methods that train on different
    subsets of the rollouts thus see the rows that they share in the same order, so that the order is held fixed like
    the data.

    Raises
    ------
    ValueError
        If there are no rows.
    """
    if not keys:
        raise ValueError("there are no rows to order")
    order: list[int] = []
    epoch = 0
    while len(order) < count:
        order += sorted(range(len(keys)), key=[_place(seed, epoch, key) for key in keys].__getitem__)
        epoch += 1
    return order[:count]


def half_of(prompt_id: str) -> str:
    """Return the half that a prompt is in, `A` or `B`, by a hash of its id: whatever other prompts there are."""
    return "AB"[hashlib.sha256(f"half/{prompt_id}".encode()).digest()[0] & 1]


def _place(seed: int, epoch: int, key: str) -> bytes:
    return hashlib.sha256(f"{seed}/{epoch}/{key}".encode()).digest()
