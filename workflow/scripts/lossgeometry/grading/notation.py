"""Answers rewritten into what math-verify reads: how people write mathematics is wider than what it parses.

Each rule changes only the looks of an answer, never its value; the table of the tests holds a case of each.
"""

import re
import unicodedata
from itertools import accumulate

_SYMBOLS = str.maketrans(
    {"−": "-", "–": "-", "π": r"\pi ", "∞": r"\infty ", "×": r"\times ", "·": r"\cdot ", "÷": "/", "°": r"^\circ "}
    | {"≤": r"\le ", "≥": r"\ge ", "±": r"\pm ", "½": r"\frac{1}{2}", "¼": r"\frac{1}{4}", "¾": r"\frac{3}{4}"}
)
_RAISED, _LOWERED = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ]+"), re.compile("[₀₁₂₃₄₅₆₇₈₉]+")

# Currency, math delimiters, and what changes only the looks.
_DECORATION = re.compile(
    r"\\?\$|[€£¥]|\\(?:mathdollar|pounds|euro|underline|checkmark|[Ll]arge|LARGE|[Hh]uge|normalsize|small|tiny"
    r"|footnotesize|(?:display|text|script)style|[Bb]igg?[lrm]?)(?![A-Za-z])"
    r"|\\(?:text)?color\s*\{[^{}]*\}|\\hspace\s*\{[^{}]*\}|\\!|(?<!\\)\\[()\[\]]"
    r"|^\s*(?:\*\*|\\(?:approx|sim|therefore)\b)|\*\*\s*$"
)
# `{\rm cm}` and `{\bf 5}`, then the commands that take what follows them; \mathrm and \text may hold a unit, and stay.
_SWITCHED = re.compile(r"\{\s*\\(?:bf|rm|it|sf|tt|sc|em)(?![A-Za-z])([^{}]*)\}")
_FONT = re.compile(r"\\(?:boldsymbol|bm|pmb|math(?:bf|it|sf|tt|normal)|bf|rm|it|sf|tt)(?![A-Za-z])")
_WORDED_FONT = re.compile(r"\\(?:text(?:bf|it|rm|sf|tt|sc|normal|up)|emph|mbox|hbox|fbox)(?=\s*\{)")
_SYNONYMS = (
    *((re.compile(rf"\\{name}(?![A-Za-z])"), symbol) for name, symbol in (("lbrace", r"\{"), ("rbrace", r"\}"))),
    *((re.compile(rf"\\{name}(?![A-Za-z])"), symbol) for name, symbol in (("langle", "("), ("rangle", ")"))),
    (re.compile(r"\\thinspace(?![A-Za-z])"), r"\,"),
    (re.compile(r"\\varnothing(?![A-Za-z])"), r"\emptyset"),
    (re.compile(r"\{:\}"), ":"),
    (re.compile(r"\\\\\s*\[[^\]]*\]"), "\\\\"),  # row spacing of a matrix
)

_GREEK = (
    r"\\(?:alpha|beta|gamma|delta|varepsilon|epsilon|zeta|eta|theta|iota|kappa|lambda|mu|nu|xi|pi|rho|sigma|tau|upsilon"
    r"|varphi|phi|chi|psi|omega|Gamma|Delta|Theta|Lambda|Xi|Pi|Sigma|Phi|Psi|Omega|infty)(?![A-Za-z])"
)
_ARGUMENT = rf"([0-9A-Za-z]|{_GREEK})"
_FRACTION = re.compile(r"\\[dtc]?frac(?![A-Za-z])")
_BOTH_BARE = re.compile(rf"\\frac\s*{_ARGUMENT}\s*{_ARGUMENT}")
_ABOVE_BARE = re.compile(rf"\\frac\s*{_ARGUMENT}\s*(?=\{{)")
_BELOW_BARE = re.compile(rf"(\\frac\s*\{{[^{{}}]*\}})\s*{_ARGUMENT}")
_ROOT_BARE = re.compile(rf"\\sqrt\s*({_GREEK})")

# `\text{The answer is } 5`, and `\text{5 apples}`, where the number would go with the text.
_ANNOUNCED = re.compile(r"\\text\s*\{[^{}]*(?:\bis|[:=])\s*\}(?=\s*\S)")
_NUMBER_IN_TEXT = re.compile(r"\\text\s*\{\s*(\d[^{}]*)\}")
_ENDING = r"(?:st|nd|rd|th)\b\s*"
_ORDINAL = re.compile(
    rf"(?<=\d)\s*(?:\^\s*)?\\(?:text|mathrm)\s*\{{\s*{_ENDING}\}}"
    rf"|(?<=\d)\s*\^\s*\{{\s*(?:\\(?:text|mathrm)\s*\{{\s*{_ENDING}\}}\s*|{_ENDING})\}}|(?<=\d)\^?(?:st|nd|rd|th)\b"
)
_REPEATING = re.compile(r"(?<![\d.])(\d*)\.(\d*)\\overline\s*\{(\d+)\}")
SCIENTIFIC = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)([eE])([+-]?)(\d{1,3})(?![\w.])")
_RATIO = re.compile(r"(\d+)\s*\\text\s*\{\s*to\s*\}\s*(\d+)")
_DEGREES = r"(\d+(?:\.\d+)?)\s*\^\s*(?:\\circ|\{\s*\\circ\s*\})"
_DEGREES_IN_TRIG = re.compile(
    rf"(\\(?:sin|cos|tan|cot|sec|csc))\s*(?:{_DEGREES}|\{{\s*{_DEGREES}\s*\}}|(?:\\left)?\(\s*{_DEGREES}\s*(?:\\right)?\))"
)
# `52_8`, `52_{8}`, `52_{\text{eight}}`, `52_{\text{base }8}`, `(52)_8`, `52 \text{ (base 8)}`.
_BASE_NAME = r"\s*(?:base\s*)?(\d{1,2}|[a-z]{3,7})\s*"
_BASE = re.compile(
    rf"(?<=[0-9A-F])\)?\s*(?:_\s*(?:(\d{{1,2}})|\{{{_BASE_NAME}\}}|\\(?:text|mathrm)\s*\{{{_BASE_NAME}\}}"
    rf"|\{{\s*\\(?:text|mathrm)\s*\{{{_BASE_NAME}\}}\s*\}}|\{{\s*\\text\s*\{{\s*base\s*\}}\s*(\d{{1,2}})\s*\}})"
    r"|\\text\s*\{\s*\(?base\s+(\d{1,2}|[a-z]{3,7})\)?\s*\})"
)
_WORDED_BASES = {
    word: str(number)
    for number, word in enumerate("two three four five six seven eight nine ten eleven twelve".split(), 2)
} | {"sixteen": "16"}

_SCALES = {"dozen": "12", "hundred": "100"} | {
    word: f"10^{{{power}}}" for word, power in (("thousand", 3), ("million", 6), ("billion", 9), ("trillion", 12))
}
_NUMBER = r"-?\d[\d,]*(?:\.\d+)?"
_SCALED = re.compile(rf"({_NUMBER})\s*(?:\\text\s*\{{\s*)?({'|'.join(_SCALES)})s?\b\s*\}}?")
_MIXED = re.compile(r"(?<![\w./}])(\d+)\s+(\d+)/(\d+)(?![\w./])")
# A number and words: one of at least four letters, so that `5 xy` stays a product. Speeds lack such a word.
_COUNTED = re.compile(
    rf"({_NUMBER}(?:\\frac\{{\d+\}}\{{\d+\}}|/\d+)?)\s+"
    r"((?=.*[A-Za-z]{4})[A-Za-z/ ]+|(?:km|mi|m|ft|cm|in)/(?:h|hr|s|sec|min))"
)
_NOT_UNITS = frozenset("and or mod modulo factorial squared cubed over times plus minus percent half root pi".split())
_UNIT_NAME = r"\s*\\(?:text|mathrm)\s*\{[^{}]*\}(?:\^\{?\d\}?)?\s*"
_UNIT_FRACTION = re.compile(rf"(?<=[\d}}])(?:\s|\\[,; ])*\\frac\s*\{{{_UNIT_NAME}\}}\s*\{{{_UNIT_NAME}\}}$")
_SPACED_THOUSANDS = re.compile(r"(?<![\d.])\d{1,3}(?:(?:\\[,;:! ]|~|\s|\{,\})\d{3})+(?![\d])")
_SPACED_DECIMALS = re.compile(r"(?<=\d)\.\d{3}(?:\\[,;: ]\d{3})*\\[,;: ]\d{1,3}(?!\d)")
_COUNT_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
).split()


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
    text = re.sub(r"(?<=\d),\s*\\!\s*(?=\d{3})", ",", text)
    text = _bare(_unstyled(text))
    for pattern, symbol in _SYNONYMS:
        text = symbol.join(pattern.split(text))
    text = _with_braces(text)
    if announced := _ANNOUNCED.match(text):
        text = text[announced.end() :].strip()
    text = _ORDINAL.sub("", text)
    if number := _NUMBER_IN_TEXT.fullmatch(text):
        text = number[1].strip()
    return _numbers(text)


def _unstyled(text: str) -> str:
    """Leave out fonts, sizes, colours and currency; the words of a text keep their `\\text`."""
    text = _SWITCHED.sub(_switched, text)
    text = _WORDED_FONT.sub(r"\\text", text)
    return _FONT.sub("", _DECORATION.sub("", text)).strip()


def _switched(found: re.Match[str]) -> str:
    """A group with its font: words, or mathematics."""
    words = re.search("[A-Za-z]{2}", found[1]) and "\\" not in found[1].replace("\\ ", "")
    return rf"\text{{{found[1]}}}" if words else f"{{{found[1]}}}"


def _bare(text: str) -> str:
    """Leave out braces around the whole answer."""
    while text.startswith("{") and text.endswith("}") and not text.endswith(r"\}"):
        depths = list(accumulate((one == "{") - (one == "}") for one in text))
        if 0 in depths[:-1]:
            break
        text = text[1:-1].strip()
    return text


def _with_braces(text: str) -> str:
    r"""Give `\frac \pi4` and `\sqrt\pi` the braces that TeX does without."""
    text = _FRACTION.sub(r"\\frac", text)
    text = _BOTH_BARE.sub(r"\\frac{\1}{\2}", text)
    text = _ABOVE_BARE.sub(r"\\frac{\1}", text)
    text = _BELOW_BARE.sub(r"\1{\2}", text)
    return _ROOT_BARE.sub(r"\\sqrt{\1}", text)


def _numbers(text: str) -> str:
    """Write numbers in one way: thousands, mixed and repeating ones, powers of ten, number words, what is counted."""
    text = re.sub(r"(?<=\d)i\b", " i", text)  # math-verify takes only a free-standing i for the imaginary unit
    text = re.sub(r"√\s*(\d+|[A-Za-z])", r"\\sqrt{\1}", text)
    text = _DEGREES_IN_TRIG.sub(_radians, text)
    if "_" in text or "base" in text:
        text = _BASE.sub(_base, re.sub(r"\(([0-9A-F]+)(?=\)\s*_)", r"\1", text))
    text = _REPEATING.sub(_fraction, text)
    text = _SPACED_THOUSANDS.sub(lambda found: re.sub(r"\D", "", found.group()), text)
    text = _SPACED_DECIMALS.sub(lambda found: re.sub(r"[^\d.]", "", found.group()), text)
    text = SCIENTIFIC.sub(lambda found: found[0] if _may_hold_euler(found) else power_of_ten(found), text)
    text = _MIXED.sub(r"\1\\frac{\2}{\3}", text)
    text = _SCALED.sub(lambda found: rf"{found[1]}\times {_SCALES[found[2]]}", text)
    text = _both_signs(text)
    text = _RATIO.sub(r"\1:\2", text)
    text = re.sub(r"(?<=[\w})%])\s*[.,;]+$", "", text)
    text = _UNIT_FRACTION.sub("", text)
    counted = _COUNTED.fullmatch(text)
    if counted and not _NOT_UNITS.intersection(re.split(r"[/ ]+", counted[2].lower())):
        return counted[1]
    text = re.sub(r"(?<=\\circ)(\s*\}?)\s*[CF]$", r"\1", text)
    word = re.sub(r"^\\text\s*\{(.*)\}$", r"\1", text).strip().lower()
    if word == "infinity":
        return r"\infty"
    return str(_COUNT_WORDS.index(word)) if word in _COUNT_WORDS else text


def _radians(found: re.Match[str]) -> str:
    return rf"{found[1]}\left(\frac{{{found[2] or found[3] or found[4]}\pi}}{{180}}\right)"


def _base(found: re.Match[str]) -> str:
    name = next(filter(None, found.groups()))
    number = _WORDED_BASES.get(name, name)
    return f"_{{{number}}}" if number.isdigit() else found[0]


def _both_signs(text: str) -> str:
    r"""Write `\frac{1 \pm x}{2}` as two answers; math-verify does so itself where no braces surround the sign."""
    left, sign, right = text.partition(r"\pm")
    if not sign or r"\pm" in right or "," in text or left.count("{") == left.count("}"):
        return text
    left = re.sub(r"^\s*[A-Za-z]\s*=\s*", "", left)
    return f"{left}+{right}, {left}-{right}"


def _may_hold_euler(found: re.Match[str]) -> bool:
    """Whether `2e-1` may be Euler's number, doubled, less one: nobody writes `1e`, `2.5e3` or `2E3` for it."""
    return found[2] == "e" and found[3] != "" and found[1] != "1" and "." not in found[1]


def power_of_ten(found: re.Match[str]) -> str:
    """A match of `SCIENTIFIC` as a product."""
    return rf"{found[1]}\times 10^{{{found[3].strip('+')}{int(found[4])}}}"


def _fraction(repeating: re.Match[str]) -> str:
    r"""0.1\overline{6} as (16 - 1) / 90."""
    whole, fixed, period = repeating.groups()
    nines = (10 ** len(period) - 1) * 10 ** len(fixed)
    return rf"\frac{{{int(whole + fixed + period) - int(whole + fixed or 0)}}}{{{nines}}}"
