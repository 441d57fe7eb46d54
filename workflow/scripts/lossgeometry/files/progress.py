"""How far a long command is and how long it will take, on standard error, where a person waits for it."""

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")
_FIRST, _EVERY, _EVERY_LOGGED = 1.0, 0.2, 10.0
"""Seconds before the first line, and between lines: on a terminal, where one replaces the other, and in a file."""


def tracked(items: Sequence[T], doing: str, sizes: Iterable[float] = ()) -> Iterator[T]:
    """Yield the items; say on standard error how many are done and how many seconds the rest should take.

    Parameters
    ----------
    doing
        What is done to them, such as `comparing pairs`.
    sizes
        Work of every item, in any unit; equal where it is not given.
    """
    weights = list(sizes) or [1.0] * len(items)
    terminal = sys.stderr.isatty()
    started = shown = time.monotonic()
    wrote, done = False, 0.0
    for index, (item, weight) in enumerate(zip(items, weights, strict=True)):
        now = time.monotonic()
        if done and now - started > _FIRST and now - shown > (_EVERY if terminal else _EVERY_LOGGED):
            left = (now - started) * (sum(weights) - done) / done
            line = f"{doing}: {index} of {len(items)}, {_duration(left)} left"
            print(f"\r{line}\x1b[K" if terminal else line, end="" if terminal else "\n", file=sys.stderr, flush=True)
            shown, wrote = now, terminal
        yield item
        done += weight
    if wrote:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
