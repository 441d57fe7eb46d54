"""Processes that a test started, and what they are to bring about."""

import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from multiprocessing import forkserver
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any
from unittest.mock import patch


class ForkServer:
    """Starts processes in which some modules are imported already.

    They are forked from a server that imports them once. Python keeps one server per process: another one's is replaced.
    """

    def __init__(self, *modules: str) -> None:
        self.modules = list(modules)
        self.context = multiprocessing.get_context("forkserver")
        self.pid = -1

    def start(self, function: Callable[..., Any], *arguments: Any) -> ForkServerProcess:
        """Return a process that calls a function."""
        kept = forkserver._forkserver
        if kept._forkserver_pid != self.pid:
            kept._stop()
            self.context.set_forkserver_preload(self.modules)
            with patch.dict(os.environ, PYTHONPATH=os.pathsep.join(filter(None, sys.path))):
                kept.ensure_running()
            self.pid = kept._forkserver_pid
        process = self.context.Process(target=function, args=arguments)
        process.start()
        return process


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
