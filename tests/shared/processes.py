"""Processes that a test started, and what they are to bring about."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def wait_for(what: str, condition: Callable[[], Any], seconds: float = 600, every: float = 0.05) -> Any:
    """Return the value of a condition as soon as it holds, which is looked at from time to time."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds:g} s"
        time.sleep(every)
    return value


def alive(process: int) -> bool:
    """Return whether a process runs: one that ended and was not waited for does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
