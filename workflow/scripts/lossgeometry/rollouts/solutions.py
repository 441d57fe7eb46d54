r"""Worked solutions of generated problems: right ones and wrong ones of plausible kinds, in several styles.

A solution is a list of equations and the number in its box. What is wrong in one is a function of its random numbers, as is
its style, so that neither tells the other.
"""

import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

from lossgeometry.problems.generated import apply
from lossgeometry.problems.reading import Story

OTHER = {"+": ("-", "*"), "-": ("+",), "*": ("+",), "/": ("-",)}
"""What an operation is mistaken for."""
DONE = {"+": "adding", "-": "taking away", "*": "multiplying by", "/": "dividing by"}


class Equation(NamedTuple):
    """One line: state operation operand = result."""

    state: int
    operation: str
    operand: int
    result: int

    def __str__(self) -> str:
        return f"{self.state} {self.operation} {self.operand} = {self.result}"


class Solution(NamedTuple):
    """The lines, and what is boxed after them."""

    lines: tuple[Equation, ...]
    boxed: int


def solve(story: Story) -> Solution:
    """Return the right solution."""
    lines = _follow(story.problem.start, story.problem.steps)
    assert lines, "the steps of a generated problem can be done"
    return Solution(lines, story.problem.answer)


def err(story: Story, rng: random.Random) -> Solution:
    """Return a wrong solution: one mistake of a random kind, and everything after it done right."""
    for mistake in rng.sample(MISTAKES, len(MISTAKES)):
        found = mistake(story, rng)
        if found and found.boxed != story.problem.answer:
            return found
    raise AssertionError("the number before the last step is always a wrong one")


def slipped_operation(story: Story, rng: random.Random) -> Solution | None:
    """Take one operation for another."""
    steps = list(story.problem.steps)
    place = rng.randrange(len(steps))
    operation, operand = steps[place]
    steps[place] = (rng.choice(OTHER[operation]), operand)
    return _boxed(_follow(story.problem.start, steps))


def dropped_step(story: Story, rng: random.Random) -> Solution | None:
    """Leave a step out."""
    steps = list(story.problem.steps)
    del steps[rng.randrange(len(steps))]
    return _boxed(_follow(story.problem.start, steps))


def wrong_carry(story: Story, rng: random.Random) -> Solution | None:
    """Lose or add a ten in one result of at least two digits."""
    lines = _follow(story.problem.start, story.problem.steps) or ()
    places = [number for number, line in enumerate(lines) if line.result >= 10]
    if not places:
        return None
    place = rng.choice(places)
    wrong = lines[place].result + rng.choice((-10, 10))
    rest = _follow(wrong, story.problem.steps[place + 1 :])
    if wrong < 1 or rest is None:
        return None
    return Solution((*lines[:place], lines[place]._replace(result=wrong), *rest), rest[-1].result if rest else wrong)


def wrong_box(story: Story, rng: random.Random) -> Solution | None:
    """Box the number before the last step under right lines."""
    lines = solve(story).lines
    return Solution(lines, lines[-1].state)


MISTAKES: tuple[Callable[[Story, random.Random], Solution | None], ...] = (
    slipped_operation,
    dropped_step,
    wrong_carry,
    wrong_box,
)


def _follow(state: int, steps: Sequence[tuple[str, int]]) -> tuple[Equation, ...] | None:
    """Return the lines of some steps; None where a number would be no whole one of at least 1."""
    lines = []
    for operation, operand in steps:
        if operation == "/" and state % operand or operation == "-" and operand >= state:
            return None
        lines.append(Equation(state, operation, operand, apply(operation, state, operand)))
        state = lines[-1].result
    return tuple(lines)


def _boxed(lines: tuple[Equation, ...] | None) -> Solution | None:
    return Solution(lines, lines[-1].result) if lines else None


def equations(story: Story, solution: Solution) -> str:
    """Write one equation per line."""
    return "\n".join([*map(str, solution.lines), rf"\boxed{{{solution.boxed}}}"])


def numbered(story: Story, solution: Solution) -> str:
    """Write numbered steps."""
    steps = [f"Step {number}: {line}." for number, line in enumerate(solution.lines, start=1)]
    return "\n".join([*steps, rf"Answer: \boxed{{{solution.boxed}}}"])


def narrated(story: Story, solution: Solution) -> str:
    """Write a sentence per step."""
    steps = [f"After {DONE[line.operation]} {line.operand}: {line}." for line in solution.lines]
    opening = f"{story.name} starts with {story.problem.start} {story.thing}."
    return " ".join([opening, *steps, rf"So {story.name} has \boxed{{{solution.boxed}}} {story.thing}."])


def running(story: Story, solution: Solution) -> str:
    """Write one sentence."""
    chain = ", then ".join(map(str, solution.lines))
    return rf"Let us count the {story.thing}: {chain}. The answer is \boxed{{{solution.boxed}}}."


STYLES: tuple[Callable[[Story, Solution], str], ...] = (equations, numbered, narrated, running)
