"""Processes that a test started, and what they are to bring about."""

import time
from collections.abc import Callable
from pathlib import Path


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until a condition holds, at most 20 s."""
    for _ in range(2000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("did not happen within 20 s")


def alive(process: int) -> bool:
    """Return whether a process runs: one that ended and was not waited for does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
