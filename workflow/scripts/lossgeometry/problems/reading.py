"""A generated problem from its text: the inverse of `problems.generated`, whose sentences leave no choice."""

import re
from typing import NamedTuple

from lossgeometry.errors import InputError
from lossgeometry.problems.generated import Problem

OPENING = re.compile(r"(?P<name>\w+) has (?P<start>\d+) (?P<thing>\w+)")
DISTRACTION = re.compile(r"\w+ is \d+ years old|A box holds \d+ cups|It is \d+ degrees outside")
STEPS = (
    (re.compile(r"\w+ (?:buys|finds) (\d+) more"), "+"),
    (re.compile(r"\w+ (?:gives (\d+) away|loses (\d+))"), "-"),
    (re.compile(r"\w+ doubles them()"), "*"),
    (re.compile(r"\w+ trades each for (\d+)"), "*"),
    (re.compile(r"\w+ keeps half of them()"), "/"),
    (re.compile(r"\w+ shares them with (\d+) people and keeps one share"), "/"),
)
QUESTION = re.compile(r"How many \w+ are left\?")
UNNAMED_NUMBER = 2
"""What `doubles` and `half` stand for."""


class Story(NamedTuple):
    """A problem, and who has how many of what in it."""

    name: str
    thing: str
    problem: Problem


def read_story(text: str) -> Story:
    """Return the problem that a text tells.

    Raises
    ------
    InputError
        If a sentence is not one of a generated problem.
    """
    sentences = text.split(". ")
    found = OPENING.fullmatch(sentences[0])
    if not found or not QUESTION.fullmatch(sentences[-1]):
        raise _unknown(text)
    steps = []
    for sentence in sentences[1:-1]:
        matches = [(pattern.fullmatch(sentence), operation) for pattern, operation in STEPS]
        step = next(((match, operation) for match, operation in matches if match), None)
        if step:
            number = next((group for group in step[0].groups() if group), UNNAMED_NUMBER)
            steps.append((step[1], int(number)))
        elif not DISTRACTION.fullmatch(sentence):
            raise _unknown(text)
    return Story(found["name"], found["thing"], Problem(text, int(found["start"]), tuple(steps)))


def _unknown(text: str) -> InputError:
    return InputError(
        f"the generated teacher solves generated problems only, and this is none: {text[:80]!r}; set prompts.source to generated"
    )
