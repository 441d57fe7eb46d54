"""Answers whose form decides before any algebra: options, times of day, number bases, quantities in several units.

math-verify reads `10:30` as a quotient, takes `52_7` for `52_8` and drops units, so that `8 h 30 min` passes for 8. Each
function takes a tidied gold answer and a tidied box, and returns None where neither has the form.
"""

import re

LETTERS = "A-J"
_SPACE = re.compile(r"(?:\s|\\[,;:! ]|\\q?quad(?![A-Za-z]))+")
_LEAD = r"(?:(?:the\s+)?(?:correct\s+|final\s+)?(?:answer|option|choice)(?:\s+is)?\s*:?\s*)?"
_OPTION = re.compile(
    rf"(?i:{_LEAD})(?:\(([{LETTERS}])\)|\[([{LETTERS}])\]|([{LETTERS}])(?:[.):](?=\s|$)|$))[\s.:,-]*(.*)"
)
_FURTHER = re.compile(rf"[(\[][{LETTERS}][)\]]|\b[{LETTERS}][.):](?:\s|$)|^(?:or|and|[,;/&])(?![A-Za-z])|^[{LETTERS}]$")

_TIME = re.compile(r"(\d{1,2})(?::([0-5]\d))?\s*(?:([aApP])\.?\s*[mM]\.?)?")
_COLON = re.compile(r"\d+\s*:\s*\d+")

_BASED = re.compile(r"(-?)0*([0-9A-F]+(?:\.[0-9A-F]+)?)_\{(\d{1,2})\}")

_INDEXED = re.compile(r"(?<=\d)_(?=\{\d{1,2}\})")

_WORDS = r"(?:\\(?:text|mathrm)\s*\{([^{}]*)\})"
_COMPOUND = re.compile(rf"\d\s*{_WORDS}\s*\d")
_QUANTITY = re.compile(rf"(\d+(?:\.\d+)?)\s*{_WORDS}?")
_UNITS = {
    name: names
    for names in (
        ("mm", "millimeters", "millimetres"),
        ("cm", "centimeter", "centimeters", "centimetres"),
        ("m", "meter", "meters", "metres"),
        ("km", "kilometer", "kilometers", "kilometres"),
        ("in", "inch", "inches"),
        ("ft", "foot", "feet"),
        ("yd", "yard", "yards"),
        ("mi", "mile", "miles"),
        ("s", "sec", "second", "seconds"),
        ("min", "mins", "minute", "minutes"),
        ("h", "hr", "hrs", "hour", "hours"),
        ("day", "days"),
        ("week", "weeks"),
        ("month", "months"),
        ("year", "years"),
        ("g", "gram", "grams"),
        ("kg", "kilogram", "kilograms"),
        ("lb", "lbs", "pound", "pounds"),
        ("oz", "ounce", "ounces"),
        ("cent", "cents"),
        ("dollar", "dollars"),
    )
    for name in names
}
_UNIT = re.compile(r"\\(?:text|mathrm)\s*\{\s*([A-Za-z]+)\.?\s*\}(?:\s*\^\s*\{?\d\}?)?$")
_CONDITION = re.compile(r"\\text\s*\{[^{}]*\b(?:if|unless|when|where)\b")
_PRIMED = re.compile(r"[A-Za-z]\s*(?:'|\^\s*\{?\s*\\prime)[^=]*$")

_DEGREES = re.compile(r"^(-?\d+(?:\.\d+)?)\s*\^\s*\{?\s*\\circ\s*\}?$")
_RADIANS = r"\\frac{\1\\pi}{180}"
_ORDER = re.compile(r"\s*(<|>|\\(?:le|ge)(?:q|qslant)?(?![A-Za-z]))\s*")
_OR = re.compile(r"\s*(?:\\text\s*\{\s*or\s*\}|\bor\b|\\lor(?![A-Za-z]))\s*")
_CONNECTORS = frozenset(("and", "or", "to", "by", "times", "x", ",", "from", "through", ""))


def option(text: str) -> tuple[str, str] | None:
    """The letter of an option and what follows it, as in `(C) Plane`; None for other answers and for two options."""
    plain = _SPACE.sub(" ", re.sub(r"\\(?:text|mathrm)\s*\{([^{}]*)\}", r"\1 ", text)).strip()
    found = _OPTION.fullmatch(plain)
    if not found or _FURTHER.search(found[4].strip()):
        return None
    return found[1] or found[2] or found[3], found[4].strip()


def same_time(gold: str, box: str) -> bool | None:
    """Whether two times of day are equal; where only one says a.m. or p.m., it is not compared.

    A gold `10:30` is taken for a time, so that `20:60` and `1:3`, the same quotient, are not equal to it.
    """
    one, other = _time(gold), _time(box)
    if one is None:
        return None
    if other is None:
        return False if _COLON.fullmatch(box) else None
    (hour, minute, half), (other_hour, other_minute, other_half) = one, other
    if minute != other_minute:
        return False
    if half and other_half:
        return (hour % 12, half) == (other_hour % 12, other_half)
    if half or other_half:
        clock, bare = (one, other) if half else (other, one)
        return bare[0] in (clock[0], clock[0] % 12 + 12 * (clock[2] == "p"))
    return hour == other_hour


def _time(text: str) -> tuple[int, int, str] | None:
    plain = _SPACE.sub(" ", re.sub(r"\\(?:text|mathrm)\s*\{([^{}]*)\}", r" \1", text)).strip()
    found = _TIME.fullmatch(plain)
    if not found or not (found[2] or found[3]) or int(found[1]) > 24:
        return None
    return int(found[1]), int(found[2] or 0), (found[3] or "").lower()


def same_based(gold: str, box: str) -> bool | None:
    """Whether two numbers have the same digits and base, where the gold or the box names one; it may be left out."""
    one, other = _based(gold), _based(box)
    if one and other:
        return one == other
    given = one or other
    if not given:
        return None
    digits, bare = given[0], box if one else gold
    return bare.strip().lstrip("0") == digits if re.fullmatch(r"-?[0-9A-F.]+", bare.strip()) else None


def _based(text: str) -> tuple[str, int] | None:
    """Digits and base of a number such as `52_{8}`; None also for a letter with an index and for digits beyond the base."""
    found = _BASED.fullmatch(text)
    if not found or re.fullmatch("[A-F]", found[2]):
        return None
    base = int(found[3])
    return (found[1] + found[2], base) if all(one == "." or int(one, 16) < base for one in found[2]) else None


def same_quantity(gold: str, box: str) -> bool | None:
    """Whether two quantities in several units, such as `8 h 30 min`, name the same numbers of the same units."""
    if not _is_compound(gold) and not _is_compound(box):
        return None
    return _quantities(gold) == _quantities(box)


def _is_compound(text: str) -> bool:
    return any(found[1].strip() not in _CONNECTORS for found in _COMPOUND.finditer(text))


def _quantities(text: str) -> list[tuple[str, str]]:
    """Numbers with the initials of their units: `h`, `hr` and `hours` are one unit."""
    return [(number, unit.strip(" ,.")[:1]) for number, unit in _QUANTITY.findall(text)]


def alike(gold: str, box: str) -> tuple[str, str]:
    """Both answers with inequalities as intervals, degrees as radians where the other is in pi, bases as factors."""
    gold, box = intervals(gold), intervals(box)
    if r"\pi" in gold:
        box = _DEGREES.sub(_RADIANS, box)
    elif r"\pi" in box:
        gold = _DEGREES.sub(_RADIANS, gold)
    if _INDEXED.search(gold) and _INDEXED.search(box):
        gold, box = (_INDEXED.sub(r"\\beta_", text) for text in (gold, box))
    return gold, box


def contradicts(gold: str, box: str) -> bool:
    """Whether the box says what the gold answer does not: another unit, a condition, a derivative."""
    one, other = (_UNITS.get(found[1]) if (found := _UNIT.search(text)) else None for text in (gold, box))
    if one and other and one != other:
        return True
    return any(form.search(box) and not form.search(gold) for form in (_CONDITION, _PRIMED))


def intervals(text: str) -> str:
    r"""Alternatives such as `x<1 \text{ or } x>2`, and descending chains such as `2>x>1`, as intervals; else the answer."""
    found = [_interval(piece) for piece in _OR.split(text)]
    pieces = [piece for piece in found if piece]
    if len(pieces) < len(found) or len({variable for variable, _ in pieces}) > 1:
        return text
    descending = len(pieces) == 1 and re.search(r">.*>|\\ge.*\\ge|>.*\\ge|\\ge.*>", text)
    return r"\cup ".join(interval for _, interval in pieces) if len(pieces) > 1 or descending else text


def _interval(piece: str) -> tuple[str, str] | None:
    """The variable and the interval of `x > 2`, `2 < x` or `1 < x < 2`; None for anything else."""
    parts = [part.strip() for part in _ORDER.split(piece)]
    if len(parts) == 3 and parts[0].isalpha():
        parts = [r"-\infty", "<", *parts] if parts[1][:3] in ("<", r"\le") else [r"\infty", ">", *parts]
    elif len(parts) == 3:
        parts += ["<", r"\infty"] if parts[1][:3] in ("<", r"\le") else [">", r"-\infty"]
    if len(parts) != 5 or not re.fullmatch("[A-Za-z]", parts[2]) or not all(parts):
        return None
    low, below, variable, above, high = parts
    if below[:3] in (">", r"\ge"):
        low, below, above, high = high, above.replace("g", "l"), below.replace("g", "l"), low
        below, above = below.replace(">", "<"), above.replace(">", "<")
    if ">" in (below, above) or "ge" in below + above:
        return None
    return variable, f"{'(' if below == '<' else '['}{low},{high}{')' if above == '<' else ']'}"
