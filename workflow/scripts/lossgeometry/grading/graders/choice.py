"""Multiple choice: the letter of the option, A to J, with or without the option's text.

`C`, `(c)`, `C.`, `\\text{(C) Plane}` and `Option C` choose C. An answer that names two options chooses none, and so does
the text of an option without its letter.
"""

import re

from lossgeometry.grading.answers import Outcome
from lossgeometry.grading.forms import LETTERS, option
from lossgeometry.grading.notation import tidy

TITLE = "multiple choice"

_LETTER = re.compile(f"[{LETTERS}]")


def normalise(answer: str) -> str:
    """The letter; other text stays as it is and equals no letter."""
    text = tidy(answer)
    if re.fullmatch(r"[\[(]?[a-j][\])]?", text):
        text = text.upper()
    chosen = option(text)
    return chosen[0] if chosen else text


def decide(gold: str, box: str) -> Outcome:
    """Equal letters; a gold answer without one cannot be graded."""
    if not _LETTER.fullmatch(gold):
        return "unparsable_gold"
    return "correct" if gold == box else "wrong"
