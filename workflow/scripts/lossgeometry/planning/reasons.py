"""Why a job runs, in one line: Snakemake's own words for changed parameters are two dictionaries."""

import ast
import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

PARAMETERS = "Params have changed since last execution: "
CHANGED = re.compile(
    rf"{PARAMETERS}Union of exclusive params .*?: before: (?P<before>.*) now: (?P<now>.*?)\s*(?=; |$)", re.S
)
SNAPSHOT = re.compile(r"/adapters/[^/]+\.t([0-9]+)/adapter_[a-z.]+$")
NONE = "<nothing exclusive>"
LONGEST = 40
MOST = 3
"""Differences that are named; more are counted."""


def shorten(reason: str) -> str:
    """Return a reason of Snakemake's with what changed instead of all parameters before and now."""
    return CHANGED.sub(lambda found: "; ".join(_changes(found["before"], found["now"])), reason)


def shorten_logged(record: logging.LogRecord) -> bool:
    """Shorten the reason of a job that Snakemake logs; a filter that lets everything pass."""
    if hasattr(record, "reason"):
        record.reason = shorten(record.reason)
    return True


def _changes(before: str, now: str) -> list[str]:
    try:
        old, new = _values(before), _values(now)
    except (ValueError, SyntaxError):  # a value without a literal, such as nan
        return ["parameters"]
    changes = [change for a, b in _paired(old, new) for change in _differences(a, b)]
    more = [f"{len(changes) - MOST} more"] if len(changes) > MOST else []
    return [*changes[:MOST], *more] or ["parameters"]


def _values(text: str) -> list[Any]:
    return [] if text == NONE else list(ast.literal_eval(f"({text},)"))


def _paired(old: list[Any], new: list[Any]) -> Iterator[tuple[Any, Any]]:
    """Yield what a value was and is: Snakemake compares them without their names, so those with most keys in common."""
    left = list(old)
    for value in new:
        same = [other for other in left if isinstance(other, dict) == isinstance(value, dict)]
        before = max(same, key=lambda other: len(_keys(other) & _keys(value)), default=None)
        if before is not None:
            left.remove(before)
        yield before, value
    yield from ((value, None) for value in left)


def _keys(value: Any) -> set[str]:
    return set(value) if isinstance(value, dict) else set()


def _differences(old: Any, new: Any) -> Iterator[str]:
    """Yield `key old -> new` of every leaf that differs; a digest or a file of code is named alone."""
    before, now = dict(_leaves(old)), dict(_leaves(new))
    for key in [*before, *(key for key in now if key not in before)]:
        if before.get(key) == now.get(key):
            continue
        if key.endswith(".py"):
            yield key.removeprefix("lossgeometry/")
        else:
            yield f"{key or 'parameter'} {_short(before, key)} -> {_short(now, key)}"


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else str(key))
    else:
        yield path, value


def _short(leaves: Mapping[str, Any], key: str) -> str:
    text = str(leaves[key]) if key in leaves and leaves[key] is not None else "none"
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def why(reasons: Iterable[str], maker: Mapping[str, str]) -> str:
    """Return why the jobs of one rule run.

    Parameters
    ----------
    reasons
        Of its jobs, shortened.
    maker
        {file: rule that makes it} of all planned jobs.
    """
    said: dict[str, None] = {}
    for reason in reasons:
        said |= dict.fromkeys(_said(reason, maker))
    own = [words for words in said if not words.startswith("after ")]
    shown = own or list(said)
    more = f"; {len(shown) - MOST} more" if len(shown) > MOST else ""
    return "; ".join(shown[:MOST]) + more


def _said(reason: str, maker: Mapping[str, str]) -> Iterator[str]:
    for part in reason.split("; "):
        head, _, files = part.partition(": ")
        if head == "Missing output files":
            steps = [SNAPSHOT.search(file) for file in files.split(", ")]
            named = sorted({int(step[1]) for step in steps if step})
            yield f"snapshots at step {', '.join(map(str, named))}" if all(steps) else "new"
        elif head == "Input files updated by another job":
            yield from (f"after {maker.get(file, 'another job')}" for file in files.split(", "))
        elif head == "Updated input files":
            yield f"{files.split(', ')[0]} changed"
        elif part == "Set of input files has changed since last execution":
            yield "other inputs"
        elif part == "Software environment definition has changed since last execution":
            yield "another software environment"
        elif part:
            yield part[0].lower() + part[1:] if part.startswith("Forced") else part
