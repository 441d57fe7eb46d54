"""Which pairs a job takes together."""

from collections.abc import Iterable


def rows(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Return the earlier runs that each run is compared with, so that a run that is added at the end adds one row."""
    found: dict[str, list[str]] = {}
    for a, b in pairs:
        found.setdefault(b, []).append(a)
    return found
