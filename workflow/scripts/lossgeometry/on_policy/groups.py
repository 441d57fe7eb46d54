"""Groups of completions for on-policy training: graded, shaped, and refilled until every group has something to say."""

import hashlib
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, islice


@dataclass(frozen=True)
class Group:
    """The completions of one prompt. Lists run over the group."""

    prompt_id: str
    prompt_ids: list[int]
    completion_ids: list[list[int]]
    correct: list[bool]
    rewards: list[float]
    log_probs: list[list[float]] | None = None
    """Log-probabilities under the sampler; None where the trainer's own serve."""

    @property
    def mixed(self) -> bool:
        """Whether both right and wrong completions are in the group."""
        return 0 < sum(self.correct) < len(self.correct)


@dataclass(frozen=True)
class Batch:
    """The groups of one generated batch, and what it took to fill it."""

    groups: list[Group]
    sampled: int
    """Groups that were sampled for it."""
    sampled_mixed: int
    """How many of those were mixed."""

    @property
    def refill_rate(self) -> float:
        """Groups sampled beyond the batch's size, over that size."""
        return self.sampled / len(self.groups) - 1


def fill_batch(
    wanted: Sequence[str],
    spares: Iterable[str],
    sample: Callable[[list[str]], list[Group]],
    oversampling: float,
    max_rounds: int,
) -> Batch:
    """Sample groups until as many mixed ones are there as prompts were wanted (dynamic sampling, arXiv 2503.14476).

    The first mixed groups count, in the order of the prompts. A batch that is still short at the cap is completed with groups
    that are not mixed: they have no advantage, and a batch of such groups alone has no gradient.

    Parameters
    ----------
    wanted
        Prompts of the batch.
    spares
        Prompts to go on with, in order.
    sample
        Prompts to their groups, in order: one call of the engine.
    oversampling
        Prompts of a call for each group that is still missing.
    max_rounds
        Most calls.
    """
    mixed: list[Group] = []
    uniform: list[Group] = []
    prompts = chain(wanted, spares)
    for _ in range(max_rounds):
        names = list(islice(prompts, math.ceil(oversampling * (len(wanted) - len(mixed)))))
        if not names:
            break
        for group in sample(names):
            (mixed if group.mixed else uniform).append(group)
        if len(mixed) >= len(wanted):
            break
    return Batch((mixed + uniform)[: len(wanted)], len(mixed) + len(uniform), len(mixed))


def spare_prompts(names: Iterable[str], wanted: Iterable[str], seed: int, generation: int) -> list[str]:
    """Return the prompts that may replace others in one generated batch, in an order that depends on its number alone.

    A function of (seed, generation) rather than a running position, so that a resumed run draws what the first would
    have.
    """
    taken = set(wanted)
    return sorted(
        (name for name in names if name not in taken),
        key=lambda name: hashlib.sha256(f"{seed}/spare/{generation}/{name}".encode()).digest(),
    )
