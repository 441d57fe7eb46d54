"""A second skill, endless and a function of the seed: numbers from the smallest to the largest.

No rollout is about it, so what training on rollouts does to it is forgetting. The numbers of a problem hash into the same
buckets as those of the word problems: pre-training and tests are disjoint.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from lossgeometry.problems.generated import BUCKETS, NAMES, bucket_of

COUNTS = (4, 5, 6)
LARGEST_NUMBER = 9


@dataclass(frozen=True)
class Ordering:
    """One problem: distinct numbers as they are told, and the answer, the same in order."""

    name: str
    numbers: tuple[int, ...]

    @property
    def text(self) -> str:
        """The problem."""
        return f"{self.name} has cards with {_listed(self.numbers)}. Order them from the smallest to the largest."

    @property
    def answer(self) -> str:
        """The numbers in order."""
        return _listed(sorted(self.numbers))

    @property
    def solution(self) -> str:
        """The one way in which it is solved."""
        return f"In order, the answer is \\boxed{{{self.answer}}}."

    @property
    def key(self) -> str:
        """What decides the bucket: the numbers as they are told."""
        return f"order {_listed(self.numbers)}"


def _listed(numbers) -> str:
    return ", ".join(map(str, numbers))


def draw_orderings(seed: int, part: str) -> Iterator[Ordering]:
    """Yield problems without end whose buckets belong to a part of `generated.BUCKETS`; each key is yielded once."""
    rng = random.Random(f"{part}/ordering/{seed}")
    seen = set()
    while True:
        problem = Ordering(rng.choice(NAMES), tuple(rng.sample(range(1, LARGEST_NUMBER + 1), rng.choice(COUNTS))))
        if bucket_of(problem.key) in BUCKETS[part] and problem.key not in seen:
            seen.add(problem.key)
            yield problem
