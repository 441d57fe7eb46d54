"""Groups of completions for on-policy training: graded, shaped, and refilled until every group has something to say."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from lossgeometry.errors import InputError


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


def overlong_penalty(length: int, budget: int, cache: int) -> float:
    """Return the reward added to a completion of `length` tokens (arXiv 2503.14476, equation 13): 0 down to -1.

    Within `budget - cache` tokens it is 0, then it falls linearly. A budget that ends generation makes -1 its last
    value.
    """
    if not cache or length <= budget - cache:
        return 0.0
    return max(-1.0, (budget - cache - length) / cache)


def fill_batch(
    wanted: Sequence[str], spares: Iterable[str], sample: Callable[[list[str]], list[Group]], max_rounds: int
) -> Batch:
    """Sample groups until as many mixed ones are there as prompts were wanted (dynamic sampling, arXiv 2503.14476).

    Parameters
    ----------
    wanted
        Prompts of the batch.
    spares
        Prompts to go on with, in order; each round takes as many as there are groups to replace.
    sample
        Prompts to their groups, in order.
    max_rounds
        Most rounds, the first included. With 1 there is no refilling and the batch is `wanted` as sampled. At the cap a
        batch that is still short is completed with groups that are not mixed, whose advantages are zero.

    Raises
    ------
    InputError
        If refilling reached its cap and not one group was mixed.
    """
    rounds, names, spares = 0, list(wanted), iter(spares)
    mixed: list[Group] = []
    uniform: list[Group] = []
    while names and len(mixed) < len(wanted) and rounds < max_rounds:
        for group in sample(names):
            (mixed if group.mixed else uniform).append(group)
        rounds += 1
        names = list(islice(spares, len(wanted) - len(mixed)))
    sampled = len(mixed) + len(uniform)
    if max_rounds == 1:
        position = {name: place for place, name in enumerate(wanted)}
        return Batch(sorted(mixed + uniform, key=lambda group: position[group.prompt_id]), sampled, len(mixed))
    if not mixed:
        solved = sum(group.correct[0] for group in uniform)
        raise InputError(
            f"none of {sampled} prompts had both right and wrong completions ({solved} all right,"
            f" {sampled - solved} all wrong); raise options.temperature, options.generations or options.max_rounds,"
            " or choose prompts of another difficulty"
        )
    return Batch((mixed + uniform)[: len(wanted)], sampled, len(mixed))


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
