"""Short problems, endless and a function of the seed: one or two sums of small numbers, told in the sentences of `generated`.

They are for a language model that can add but knows neither the form of an answer nor much of longer chains: few tokens teach it.
The tiny student is pre-trained on none of them, so nothing here changes it.
"""

import random
from collections.abc import Iterator

from lossgeometry.problems.generated import BUCKETS, NAMES, THINGS, Problem, apply

LARGEST = 20


def draw_short_problem(rng: random.Random) -> Problem:
    """Return one problem of one or two steps that keep the quantity between 1 and 60."""
    name, thing = rng.choice(NAMES), rng.choice(THINGS)
    start = state = rng.randint(2, LARGEST)
    sentences, steps = [f"{name} has {start} {thing}."], []
    for _ in range(rng.randint(1, 2)):
        operation, operand, sentence = _draw_step(rng, state)
        state = apply(operation, state, operand)
        steps.append((operation, operand))
        sentences.append(f"{name} {sentence}.")
    sentences.append(f"How many {thing} are left?")
    return Problem(" ".join(sentences), start, tuple(steps))


def _draw_step(rng: random.Random, state: int) -> tuple[str, int, str]:
    """Return (operation, operand, sentence without its subject)."""
    while True:
        kind, number = rng.choice(("buys", "gives", "doubles", "halves")), rng.randint(2, LARGEST)
        if kind == "buys":
            return "+", number, rng.choice(("buys %d more", "finds %d more")) % number
        if kind == "gives" and number < state:
            return "-", number, rng.choice(("gives %d away", "loses %d")) % number
        if kind == "doubles" and state <= LARGEST:
            return "*", 2, "doubles them"
        if kind == "halves" and state % 2 == 0:
            return "/", 2, "keeps half of them"


def draw_short_problems(seed: int, part: str) -> Iterator[Problem]:
    """Yield problems without end whose buckets belong to a part of `generated.BUCKETS`; each key is yielded once."""
    rng = random.Random(f"{part}/short/{seed}")
    seen = set()
    while True:
        problem = draw_short_problem(rng)
        if problem.bucket in BUCKETS[part] and problem.key not in seen:
            seen.add(problem.key)
            yield problem
