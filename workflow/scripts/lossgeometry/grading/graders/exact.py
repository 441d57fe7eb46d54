"""Normalised exact match: equal text, for answers that are words, names or codes.

Normalised are Unicode forms (NFKC), letter case, white space, math delimiters, LaTeX's commands for text and fonts,
and a full stop at the end. Nothing is computed: `1/2` is not `0.5`, and `1,000` is not `1000`.
"""

import re
import unicodedata

from lossgeometry.grading.answers import Outcome

TITLE = "normalised exact match"

_WRAPPERS = re.compile(r"\\(?:text|math)(?:bf|it|rm|sf|tt|sc|normal)?\s*(?=\{)|\\(?:emph|mbox|boldsymbol)\s*(?=\{)")
_SPACES = re.compile(r"(?:\s|~|\\[,;:! ])+")


def normalise(answer: str) -> str:
    """The answer without what changes only its looks."""
    text = unicodedata.normalize("NFKC", answer)
    text = "".join(one for one in text if one.isspace() or unicodedata.category(one) not in ("Cc", "Cf", "Cs"))
    text = re.sub(r"(?<!\\)\$|(?<!\\)\\[()]", "", text)
    text, wrapped = _WRAPPERS.subn("", text)
    if wrapped:
        text = text.replace("{", "").replace("}", "")
    return _SPACES.sub(" ", text).strip().removesuffix(".").rstrip().casefold()


def decide(gold: str, box: str) -> Outcome:
    """Equal strings are equal."""
    return "correct" if gold == box else "wrong"
