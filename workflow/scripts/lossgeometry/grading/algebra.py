"""Verdicts of math-verify on tidied answers, behind what it gets wrong. Imported by grading workers alone: it loads SymPy."""

import math
import re
from functools import lru_cache

from math_verify import LatexExtractionConfig, parse, verify
from sympy import Basic, Number

from lossgeometry.grading import forms
from lossgeometry.grading.answers import Outcome
from lossgeometry.grading.notation import SCIENTIFIC, power_of_ten

# Gold answers are bare: everything between the dollars is the answer, and numbers inside unparsable text are not.
GOLD = (LatexExtractionConfig(),)
# Predictions: only the box, never a formula elsewhere (21 % fewer false rejections than with defaults and raw golds).
BOX = (LatexExtractionConfig(boxed_match_priority=0, try_extract_without_anchor=False),)
DECIMALS = 6
"""Decimals that math-verify compares of a number with a point; of a small number, digits after its leading zeros."""
PRECISION = 15
"""Digits of its numerical comparison of expressions."""


@lru_cache(maxsize=1024)
def parse_gold(gold: str) -> list:
    """SymPy objects and fallback strings of a gold answer; empty when none of them is a SymPy object."""
    found = parse(f"${gold}$", GOLD, parsing_timeout=None)
    return found if any(not isinstance(one, str) for one in found) else []


def judge(gold: str, box: str) -> Outcome:
    """`correct`, `wrong` or `unparsable_gold`."""
    if (chosen := forms.option(gold)) and (given := forms.option(box)):
        same = chosen[0] == given[0] and (not chosen[1] or not given[1] or _judge(chosen[1], given[1]) == "correct")
        return "correct" if same else "wrong"
    if chosen and chosen[1]:
        gold = chosen[1]  # the box gives the option's text alone
    elif not re.search(f"[{forms.LETTERS}]", gold) and (given := forms.option(box)) and given[1]:
        box = given[1]
    return _judge(gold, box)


def _judge(gold: str, box: str) -> Outcome:
    """The verdict on answers that are not options.

    A percent sign on one side only may be left out, since "what percent" is answered by 12.5 and by 12.5 %; math-verify
    itself grants this to integers alone.
    """
    for rule in (forms.same_time, forms.same_based, forms.same_quantity):
        same = rule(gold, box)
        if same is not None:
            return "correct" if same else "wrong"
    gold, box = forms.alike(gold, box)
    bare_gold, bare_box = _without_percent(gold), _without_percent(box)
    if not any(parse_gold(reading) for reading in readings(bare_gold)):
        return "unparsable_gold"
    # Equal strings are equal: math-verify says so too, since it compares the normalised strings beside the expressions,
    # but it takes `June 20` for a product and `\\text{June 20}` for a word.
    if _letters(bare_gold) == _letters(bare_box):
        return "correct"
    if forms.contradicts(bare_gold, bare_box):
        return "wrong"
    if any(equal(one, other) for one in readings(bare_gold) for other in readings(bare_box)):
        return "correct"
    one_sided = (gold != bare_gold) != (box != bare_box)
    return "correct" if one_sided and equal(gold, box) else "wrong"


def readings(text: str) -> list[str]:
    """The answer, and where it holds a `2e-1` the answer with that as a power of ten instead of Euler's number."""
    return list(dict.fromkeys((text, SCIENTIFIC.sub(power_of_ten, text))))


def equal(gold: str, box: str) -> bool:
    """Whether math-verify accepts the box; verify is asymmetric: gold first. Relations may stand for intervals."""
    parsed = parse_gold(gold)
    prediction = parse(rf"\boxed{{{box}}}", BOX, parsing_timeout=None)
    zeros = _leading_zeros(parsed)
    return verify(
        parsed,
        prediction,
        float_rounding=DECIMALS + zeros,
        numeric_precision=PRECISION + zeros,
        timeout_seconds=None,
        allow_set_relation_comp=True,
    )


def _leading_zeros(parsed: list) -> int:
    """Zeros between the point and the first digit of a gold answer that is a number: 4 in 0.0000672."""
    value = parsed[0] if parsed else None
    if not isinstance(value, Basic) or value.free_symbols or not value.atoms(Number):
        return 0
    try:
        size = abs(float(value))
    except (TypeError, ValueError, OverflowError):  # sets, tuples, relations, complex and huge numbers
        return 0
    return max(0, -1 - math.floor(math.log10(size))) if 0 < size < math.inf else 0


def _without_percent(text: str) -> str:
    return re.sub(r"\s*(?:\\?%|\\text\s*\{\s*(?:\\?%|percent)\s*\}|\bpercent)$", "", text)


def _letters(text: str) -> str:
    """The answer with single spaces, and without text commands and article where it is made of words."""
    if re.search(r"[A-Za-z]{3}", re.sub(r"\\[A-Za-z]+", "", text)):
        text = re.sub(r"\\(?:text|mathrm)\s*\{([^{}]*)\}", r"\1", text)
        text = re.sub(r"^\s*(?:an?|the)\s+", "", text.lower())
    return " ".join(text.split())
