"""The regular expressions of `rank_pattern` and `alpha_pattern`, which come from strangers: only those that end soon are run."""

import math
import re
from collections.abc import Iterable, Mapping
from typing import TypeVar

from lossgeometry.errors import InputError

T = TypeVar("T")
_REPEATED_GROUP = re.compile(r"\)[*+{]")
_LONGEST = 500
_MOST_WORK = 1e9
"""Steps of matching all patterns against all modules, at worst: about half a minute."""


def require_pattern(where: str, pattern: str) -> None:
    """Raise InputError unless a pattern is a short regular expression without a repeated group."""
    plain = _plain(pattern)
    if len(pattern) > _LONGEST or _REPEATED_GROUP.search(plain):
        raise InputError(f"{where} holds a pattern that could take for ever to match; write simpler patterns")
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError):
        raise InputError(f"{where} holds {pattern!r}, which is no regular expression; correct it") from None


def require_short_work(where: str, patterns: Iterable[str], modules: Iterable[str]) -> None:
    """Raise InputError if matching could take for ever.

    A backtracking matcher tries, at worst, every way of dividing a name among the repetitions, and every choice of an alternative
    in every group.
    """
    lengths = [len(module) for module in modules]
    work = 0.0
    for pattern in patterns:
        plain = _plain(pattern)
        # The prefix of the name is one repetition more.
        repetitions = 1 + sum(map(plain.count, "*+{"))
        choices = _choices(plain)
        work += sum(choices * math.comb(length + repetitions, repetitions) for length in lengths)
    if work > _MOST_WORK:
        raise InputError(f"{where} holds patterns that could take for ever to match; write simpler patterns")


def _plain(pattern: str) -> str:
    """Return a pattern without escaped characters, character classes and marks of groups: what is left acts."""
    plain = re.sub(r"\[\^?\]?[^\]]*\]", "x", re.sub(r"\\.", "x", pattern))
    return plain.replace("(?:", "(")


def _choices(plain: str) -> float:
    """Return how many ways through alternatives and optional parts there are at most."""
    choices, alternatives = 2.0 ** plain.count("?"), [1]
    for character in plain:
        if character == "(":
            alternatives.append(1)
        elif character == "|":
            alternatives[-1] += 1
        elif character == ")" and len(alternatives) > 1:
            choices *= alternatives.pop()
    for count in alternatives:
        choices *= count
    return choices


def by_pattern(patterns: Mapping[str, T], module: str, default: T) -> T:
    """Return the value of the first pattern that matches the end of the module's name, as PEFT resolves them."""
    for pattern, value in patterns.items():
        if re.match(rf"(.*\.)?({pattern})$", module):
            return value
    return default
