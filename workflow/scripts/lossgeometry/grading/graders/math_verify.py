"""Mathematical equality: math-verify on tidied LaTeX, in killable processes (github.com/huggingface/Math-Verify)."""

import re
from functools import lru_cache

from lossgeometry.grading.answers import Outcome
from lossgeometry.grading.notation import tidy

TITLE = "mathematical equality"

_INTEGER = re.compile(r"0|-?[1-9][0-9]*")
_SIMPLE = re.compile(r"-?[0-9]+(?:\.[0-9]+)?|-?\\frac\{[0-9]+\}\{[1-9][0-9]*\}|-?[0-9]+/[1-9][0-9]*")


@lru_cache(maxsize=1024)
def normalise(answer: str) -> str:
    """The answer as math-verify reads it."""
    return answer if _INTEGER.fullmatch(answer) else tidy(answer)


def decide(gold: str, box: str) -> Outcome | None:
    """Judge numbers without algebra.

    Two integers in canonical form are equal exactly when their strings are, and equal strings of a plain number or
    fraction are equal; on these math-verify cannot say anything else.
    """
    if _INTEGER.fullmatch(gold) and _INTEGER.fullmatch(box):
        return "correct" if gold == box else "wrong"
    if gold == box and _SIMPLE.fullmatch(gold):
        return "correct"
    return None


def judge(gold: str, box: str) -> Outcome:
    """Judge any other answers. Runs in a worker: SymPy can hang in arithmetic that no signal interrupts."""
    from lossgeometry.grading import algebra

    return algebra.judge(gold, box)
