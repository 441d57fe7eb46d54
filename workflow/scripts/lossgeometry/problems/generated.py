"""Endless templated word problems, a function of the seed.

The numbers and operations of a problem, not its names, hash into 20 buckets. Pre-training, rollouts and tests draw from
disjoint buckets, so that no problem is met twice, whatever the seeds.
"""

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass

BUCKETS = {"pretraining": range(0, 16), "rollouts": range(16, 18), "tests": range(18, 20)}
STEPS = {"reachable": (2, 3), "hard": (5, 6)}
LARGEST = {"reachable": 20, "hard": 40}
LARGEST_FACTOR = 5
LARGEST_STATE = 400

NAMES = ("Mia", "Ben", "Zoe", "Sam", "Lea", "Max", "Ida", "Tom")
THINGS = ("apples", "books", "coins", "pens", "shells", "cards", "stamps", "beads")
DISTRACTORS = ("{name} is {number} years old.", "A box holds {number} cups.", "It is {number} degrees outside.")
CONNECTIVES = ("Then", "Next", "Now", "So")
OPENINGS = {"careful": "Carefully:", "quick": "Quick:", "hasty": "Hasty:"}


@dataclass(frozen=True)
class Problem:
    """A word problem: the text, and the chain of quantities from the start to the answer."""

    text: str
    start: int
    steps: tuple[tuple[str, int], ...]
    """(operation, operand) with the operation one of + - * /."""

    @property
    def states(self) -> list[int]:
        """The quantity after each step."""
        states, state = [], self.start
        for operation, operand in self.steps:
            state = apply(operation, state, operand)
            states.append(state)
        return states

    @property
    def answer(self) -> int:
        """The quantity after the last step."""
        return self.states[-1]

    @property
    def key(self) -> str:
        """The numbers and operations, which decide the bucket."""
        return f"{self.start}" + "".join(f"{operation}{operand}" for operation, operand in self.steps)

    @property
    def bucket(self) -> int:
        """The bucket of the problem, 0 to 19."""
        return bucket_of(self.key)


def bucket_of(key: str) -> int:
    """Return the bucket, 0 to 19, of a problem with these numbers and operations."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") % 20


def apply(operation: str, state: int, operand: int) -> int:
    """Return the quantity after one step; divisions are exact by construction."""
    if operation == "+":
        return state + operand
    if operation == "-":
        return state - operand
    return state * operand if operation == "*" else state // operand


def _draw_step(rng: random.Random, state: int, largest: int) -> tuple[str, int, str]:
    """Return (operation, operand, sentence) of one step that keeps the quantity between 1 and LARGEST_STATE."""
    while True:
        kind = rng.choice(("buys", "gives", "doubles", "halves", "shares", "bags"))
        number = rng.randint(2, largest)
        factor = rng.randint(2, LARGEST_FACTOR)
        if kind == "buys" and state + number <= LARGEST_STATE:
            return "+", number, rng.choice(("{name} buys %d more.", "{name} finds %d more.")) % number
        if kind == "gives" and number < state:
            return "-", number, rng.choice(("{name} gives %d away.", "{name} loses %d.")) % number
        if kind == "doubles" and state * 2 <= LARGEST_STATE:
            return "*", 2, "{name} doubles them."
        if kind == "halves" and state % 2 == 0:
            return "/", 2, "{name} keeps half of them."
        if kind == "shares" and state % factor == 0 and state > factor:
            return "/", factor, f"{{name}} shares them with {factor} people and keeps one share."
        if kind == "bags" and state * factor <= LARGEST_STATE:
            return "*", factor, f"{{name}} trades each for {factor}."


def draw_problem(rng: random.Random, difficulty: str) -> Problem:
    """Return one problem of the given difficulty, `reachable` or `hard`."""
    name, thing, largest = rng.choice(NAMES), rng.choice(THINGS), LARGEST[difficulty]
    start = state = rng.randint(2, largest)
    sentences = [f"{name} has {start} {thing}."]
    if rng.random() < 0.3:
        sentences.append(rng.choice(DISTRACTORS).format(name=name, number=rng.randint(2, largest)))
    steps = []
    for _ in range(rng.randint(*STEPS[difficulty])):
        operation, operand, sentence = _draw_step(rng, state, largest)
        state = apply(operation, state, operand)
        steps.append((operation, operand))
        sentences.append(sentence.format(name=name))
    sentences.append(f"How many {thing} are left?")
    return Problem(" ".join(sentences), start, tuple(steps))


def draw_problems(seed: int, difficulty: str, part: str) -> Iterator[Problem]:
    """Yield problems without end whose buckets belong to a part; each key is yielded once.

    Parameters
    ----------
    difficulty
        `reachable`, `hard`, or `mixed` for an even draw of both.
    part
        `pretraining`, `rollouts` or `tests`.
    """
    rng = random.Random(f"{part}/{difficulty}/{seed}")
    seen = set()
    while True:
        chosen = rng.choice(("reachable", "hard")) if difficulty == "mixed" else difficulty
        problem = draw_problem(rng, chosen)
        if problem.bucket in BUCKETS[part] and problem.key not in seen:
            seen.add(problem.key)
            yield problem


def write_solution(problem: Problem, style: str, rng: random.Random, slip_fraction: float) -> str:
    """Return a solution: one equation per step, then the boxed answer.

    A `careful` solution is right. A `quick` one contains a slip with probability `slip_fraction`: one result is off, and what
    follows builds on it. A `hasty` one stops before the last step half of the time.
    """
    steps = list(problem.steps)
    if style == "hasty" and rng.random() < 0.5:
        steps.pop()
    slips = style == "quick" and rng.random() < slip_fraction
    wrong_step = rng.randrange(len(steps)) if slips else -1
    connective = rng.choice(CONNECTIVES)
    words, state = [OPENINGS[style]], problem.start
    for index, (operation, operand) in enumerate(steps):
        result = apply(operation, state, operand)
        if index == wrong_step:
            result = max(1, result + rng.choice((-3, -2, -1, 1, 2, 3)))
        words.append(f"{'First' if index == 0 else connective} {state} {operation} {operand} = {result}.")
        state = result
    words.append(f"The answer is \\boxed{{{state}}}.")
    return " ".join(words)
