"""What a completion answers: its final box, tidied, and the answers that need no algebra to be judged."""

import re
import unicodedata
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

_INTEGER = re.compile(r"0|-?[1-9][0-9]*")
_SIMPLE = re.compile(r"-?[0-9]+(?:\.[0-9]+)?|-?\\frac\{[0-9]+\}\{[1-9][0-9]*\}|-?[0-9]+/[1-9][0-9]*")

_SYMBOLS = str.maketrans(
    {"−": "-", "–": "-", "π": r"\pi ", "∞": r"\infty ", "×": r"\times ", "·": r"\cdot ", "÷": "/", "°": r"^\circ "}
    | {"≤": r"\le ", "≥": r"\ge ", "½": r"\frac{1}{2}", "¼": r"\frac{1}{4}", "¾": r"\frac{3}{4}"}
)
_RAISED, _LOWERED = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ]+"), re.compile("[₀₁₂₃₄₅₆₇₈₉]+")
# Currency, math delimiters, and what changes only the looks.
_DECORATION = re.compile(
    r"\\?\$|[€£¥]|\\(?:mathdollar|pounds|euro|underline|checkmark|[Ll]arge|LARGE|[Hh]uge|normalsize)\b"
    r"|\\(?:text)?color\s*\{[^{}]*\}|(?<!\\)\\[()\[\]]|^\s*(?:\*\*|\\(?:approx|sim|therefore)\b)|\*\*\s*$"
)
# `\text{The answer is } 5`, and `\text{5 apples}`, where the number would go with the text.
_ANNOUNCED = re.compile(r"\\text\s*\{[^{}]*(?:\bis|[:=])\s*\}(?=\s*\S)")
_NUMBER_IN_TEXT = re.compile(r"\\text\s*\{\s*(\d[^{}]*)\}")
_REPEATING = re.compile(r"(?<![\d.])(\d*)\.(\d*)\\overline\s*\{(\d+)\}")
_SCALES = {"dozen": "12", "hundred": "100"} | {
    word: f"10^{{{power}}}" for word, power in (("thousand", 3), ("million", 6), ("billion", 9), ("trillion", 12))
}
_NUMBER = r"-?\d[\d,]*(?:\.\d+)?"
_SCALED = re.compile(rf"({_NUMBER})\s*(?:\\text\s*\{{\s*)?({'|'.join(_SCALES)})s?\b\s*\}}?")
# A number and words: one of at least four letters, so that `5 xy` stays a product. Speeds lack such a word.
_COUNTED = re.compile(rf"({_NUMBER})\s+((?=.*[A-Za-z]{{4}})[A-Za-z/ ]+|(?:km|mi|m|ft|cm|in)/(?:h|hr|s|sec|min))")
_NOT_UNITS = frozenset("and or mod modulo factorial squared cubed over times plus minus percent half root pi".split())
_SPACED_THOUSANDS = re.compile(r"(?<![\d.])\d{1,3}(?:(?:\\[,;:! ]|~|\s|\{,\})\d{3})+(?![\d])")


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
            if open_braces and (box := open_braces.pop()) is not None:
                closed.append((*box, token.start()))
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


def tidy(text: str) -> str:
    """Rewrite what people read without effort and math-verify does not: see the tests' table for each case."""
    text = _RAISED.sub(lambda found: f"^{{{unicodedata.normalize('NFKC', found.group())}}}", text)
    text = _LOWERED.sub(lambda found: f"_{{{unicodedata.normalize('NFKC', found.group())}}}", text)
    text = unicodedata.normalize("NFKC", text.translate(_SYMBOLS))
    text = "".join(
        " " if character.isspace() or character == "~" else character
        for character in text
        if character.isspace() or unicodedata.category(character) not in ("Cc", "Cf")
    )
    text = _DECORATION.sub("", text).strip()
    if announced := _ANNOUNCED.match(text):
        text = text[announced.end() :].strip()
    if number := _NUMBER_IN_TEXT.fullmatch(text):
        text = number[1].strip()
    text = text.replace(r"\varnothing", r"\emptyset")
    text = re.sub(r"\\\\\s*\[[^\]]*\]", r"\\\\", text)  # row spacing of a matrix
    text = re.sub(r"(?<=\d)i\b", " i", text)  # math-verify takes only a free-standing i for the imaginary unit
    text = re.sub(r"√\s*(\d+|[A-Za-z])", r"\\sqrt{\1}", text)
    text = _REPEATING.sub(_fraction, text)
    text = _SPACED_THOUSANDS.sub(lambda found: re.sub(r"\D", "", found.group()), text)
    text = _SCALED.sub(lambda found: rf"{found[1]}\times {_SCALES[found[2]]}", text)
    text = re.sub(r"(?<=[\w})%])\s*[.,;]+$", "", text)
    counted = _COUNTED.fullmatch(text)
    if counted and not _NOT_UNITS.intersection(re.split(r"[/ ]+", counted[2].lower())):
        return counted[1]
    return text


def _fraction(repeating: re.Match[str]) -> str:
    r"""0.1\overline{6} as (16 - 1) / 90."""
    whole, fixed, period = repeating.groups()
    nines = (10 ** len(period) - 1) * 10 ** len(fixed)
    return rf"\frac{{{int(whole + fixed + period) - int(whole + fixed or 0)}}}{{{nines}}}"


def decide(gold: str, box: str) -> bool | None:
    """Judge tidied answers without algebra, or None where math-verify is needed.

    Two integers in canonical form are equal exactly when their strings are, and equal strings of a plain number or
    fraction are equal; on these math-verify cannot say anything else.
    """
    if _INTEGER.fullmatch(gold) and _INTEGER.fullmatch(box):
        return gold == box
    if gold == box and _SIMPLE.fullmatch(gold):
        return True
    return None
