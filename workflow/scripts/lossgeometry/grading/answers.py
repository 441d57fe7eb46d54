"""What a completion answers, its final box, and how that was judged."""

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

Outcome = Literal["correct", "wrong", "no_answer", "unparsable_gold", "timeout", "truncated"]

MAXIMUM_CHARACTERS = 2_000
"""A longer box is wrong without a look: no gold is near this length, and parsing it would take its whole deadline."""

_TOKEN = re.compile(r"\\+(?:boxed|fbox)\s*\{|\\.|[{}]", re.DOTALL)
_BOX_OPENING = re.compile(r"\\+(?:boxed|fbox)\s*\{")
# What may stand between the boxes of one list: separators, math delimiters and the next `x =`.
_LIST_GAP = re.compile(
    r"(?=.*(?:[,;]|\band\b|\bor\b))(?:[\s$,;&*]|\\[()\[\],;:! ]|\\quad|\\text\s*\{|\}|\band\b|\bor\b|[A-Za-z]\w?\s*=)*",
    re.DOTALL,
)
_LONGEST_GAP = 70


@dataclass(frozen=True)
class Answer:
    """One completion with the gold answer of its problem. `finish_reason` is "length" when the budget cut it."""

    gold: str
    completion: str
    finish_reason: str


@dataclass(frozen=True)
class Verdict:
    """How an answer was judged. `extracted` is the content of its final box as it was written, or None."""

    extracted: str | None
    correct: bool
    verdict: Outcome


def extract_box(completion: str) -> str | None:
    r"""Content of the last `\boxed{}` (or `\fbox{}`), or None when there is none or the last one was never closed.

    The last box wins, as in math-verify. Boxes that follow each other as one list (`\boxed{1} and \boxed{2}`) are
    joined with commas, so that listing every candidate is not a way to be right. A box inside a box is unwrapped.
    Time is linear in the length of the text.
    """
    first = _BOX_OPENING.search(completion)
    if first is None:
        return None
    closed: list[tuple[int, int, int]] = []  # (opening, content start, content end) in order of their ends
    open_braces: list[tuple[int, int] | None] = []
    last_opening = first.start()
    for token in _TOKEN.finditer(completion, first.start()):
        text = token.group()
        if text == "{":
            open_braces.append(None)
        elif text == "}":
            if open_braces and (opened := open_braces.pop()) is not None:
                closed.append((*opened, token.start()))
        elif len(text) > 2:
            last_opening = token.start()
            open_braces.append((token.start(), token.end()))
    last = max(closed, default=None)
    if last is None or last[0] < last_opening:
        return None
    outermost: list[tuple[int, int, int]] = []
    for box in closed:  # an outer box ends after the boxes inside it, so it removes them from the list's end
        while outermost and outermost[-1][0] > box[0]:
            outermost.pop()
        outermost.append(box)
    parts = [_unwrap(completion[outermost[-1][1] : outermost[-1][2]])]
    for following, box in pairwise(reversed(outermost)):
        gap = completion[box[2] + 1 : following[0]]
        if len(gap) > _LONGEST_GAP or not _LIST_GAP.fullmatch(gap):
            break
        content = _unwrap(completion[box[1] : box[2]])
        if content != parts[-1]:
            parts.append(content)
    return ",".join(reversed(parts))


def _unwrap(content: str) -> str:
    """Box content without the boxes inside it."""
    content = content.strip()
    whole = _BOX_OPENING.match(content)
    if whole and content.endswith("}") and not _TOKEN.search(content[whole.end() : -1]):
        return content[whole.end() : -1].strip()
    return _BOX_OPENING.sub("{", content)
