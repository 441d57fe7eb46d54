"""A finding, and how numbers are written in sentences."""

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urlencode

import pandas as pd


class Finding(NamedTuple):
    """One sentence with its numbers. Names of the fields are the columns of tables/findings.csv."""

    id: str
    question: str
    statement: str
    value: float
    """The effect that the sentence is about; NaN where it is a count of verdicts."""
    low: float = math.nan
    high: float = math.nan
    interval: str = ""
    """What `low` to `high` is."""
    unit: str = ""
    chance: str = ""
    """What chance, or a control, gives."""
    seeds: int = 0
    """Seeds that it rests on; 0 where seeds are not compared."""
    agreeing: int = 0
    """Of these, how many have the verdict."""
    verdict: str = ""
    not_shown: str = ""
    """What it does not show."""
    section: str = ""
    """Section of the page where it is seen."""
    view: str = ""
    """State of the page, as in its address."""
    rank: int = 0
    """Place among the takeaways; 0 for none."""
    pair: str = ""
    """Methods that it is about, as `<a>--<b>`."""


Frames = Mapping[str, pd.DataFrame]
SEEDS, BOOTSTRAP, PROBLEMS = "range over seeds", "95 %, bootstrap over layers", "95 %, over problems"
MINUS = "\N{MINUS SIGN}"


def signed(text: str) -> str:
    """Return a formatted number with a minus sign in place of its hyphen."""
    return text.replace("-", MINUS)


def decimal(value: float, digits: int = 3) -> str:
    """Return a number with so many decimals; one that rounds to zero has no sign."""
    text = f"{value:.{digits}f}"
    return signed(text.lstrip("-") if float(text) == 0 else text)


def points(share: float) -> str:
    """Return a difference of shares in percentage points, with its sign."""
    return signed(f"{100 * share:+.1f}".replace("-0.0", "+0.0"))


def small(value: float) -> str:
    """Return a number with two significant digits."""
    return signed(f"{value:.2g}")


def between(low: float, high: float, write: Callable[[float], str] = decimal) -> str:
    """Return the ends of an interval in words."""
    return f"{write(low)} to {write(high)}"


def angle(cosine: float) -> str:
    """Return the angle of a cosine in degrees."""
    return f"{math.degrees(math.acos(max(-1.0, min(1.0, cosine)))):.1f}°"


def share(cosine: float) -> str:
    """Return the part of one update's squared length that lies along the other: the squared cosine."""
    percent = 100 * cosine * cosine
    return f"{percent:.0f} %" if percent >= 1 else f"{percent:.2g} %"


def counted(verdicts: Collection[str], order: Iterable[str] = ()) -> str:
    """Return how often each verdict occurs, in an order."""
    names = list(dict.fromkeys([*order, *verdicts]))
    counts = {name: sum(verdict == name for verdict in verdicts) for name in names}
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count)


def agreement(verdicts: Sequence[str]) -> tuple[str, int]:
    """Return the verdict of most seeds and how many have it; `seeds disagree` where no verdict is that of all."""
    first = max(dict.fromkeys(verdicts), key=list(verdicts).count)
    count = list(verdicts).count(first)
    return (first if count == len(verdicts) else "seeds disagree"), count


def over_seeds(values: Sequence[float], write: Callable[[float], str] = decimal) -> str:
    """Return the range over seeds in brackets; nothing for one seed."""
    return f" ({between(min(values), max(values), write)} over {len(values)} seeds)" if len(values) > 1 else ""


def view(**state: str) -> str:
    """Return a state of the page as its address has it."""
    return urlencode({key: value for key, value in state.items() if value})
