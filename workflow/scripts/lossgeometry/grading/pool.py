"""Grading workers and their queue: each judges one answer at a time and can be killed without harm to the others."""

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from lossgeometry.grading import worker as worker_module
from lossgeometry.grading.answers import Outcome

WORKER = Path(worker_module.__file__)
"""Started by path; the import makes it part of the code that a grading job's digests cover."""
START_SECONDS = 300.0
WALL_PER_CPU = 20.0
"""Wall-clock guard in multiples of the CPU deadline, against a worker that waits instead of computing."""


@dataclass
class Task:
    """One (gold, box) pair; `outcome` is None until it has been judged."""

    gold: str
    box: str
    outcome: Outcome | None = None
    deaths: int = 0


class Worker:
    """One child process. `task` is what it is judging; `expires` is the monotonic time at which it is killed."""

    def __init__(self, grader: str) -> None:
        # `-P`: the worker's own folder must not shadow the standard library. The fixed hash seed makes SymPy's
        # orderings, and with them its rare undecided comparisons, the same in every process.
        self.process = subprocess.Popen(
            [sys.executable, "-P", str(WORKER), grader],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"PYTHONHASHSEED": "0"},
        )
        assert self.process.stdin and self.process.stdout  # pipes, as asked for
        self.requests, self.replies = self.process.stdin, self.process.stdout
        self.ready = False
        self.task: Task | None = None
        self.expires = time.monotonic() + START_SECONDS
        self.received = b""

    def send(self, task: Task, deadline: float) -> bool:
        """Hand over a task; False when the process is already gone."""
        self.task = task
        self.expires = time.monotonic() + WALL_PER_CPU * deadline
        request = json.dumps([task.gold, task.box, deadline]) + "\n"  # ASCII: surrogates travel as escapes
        try:
            self.requests.write(request.encode("ascii"))
            self.requests.flush()
        except BrokenPipeError:
            return False
        return True

    def receive(self) -> str | None:
        """A complete reply, "" when only a part of it is there, None when the process has ended."""
        block = os.read(self.replies.fileno(), 4096)
        if not block:
            return None
        self.received += block
        if not self.received.endswith(b"\n"):
            return ""
        reply, self.received = self.received.decode("ascii").strip(), b""
        return reply

    def kill(self) -> int:
        """End the process now; returns its exit code."""
        self.process.kill()
        self.replies.close()
        try:
            self.requests.close()
        except BrokenPipeError:
            pass  # an unsent request of a dead worker: nobody waits for it
        return self.process.wait()


class WorkerPool:
    """Up to `workers` processes of one grader, started when there is work for them. Use as a context manager, or call `close`."""

    def __init__(self, grader: str, workers: int, deadline_seconds: float) -> None:
        self.grader = grader
        self.size = workers
        self.deadline = deadline_seconds
        self.queue: deque[Task] = deque()
        self.workers: list[Worker] = []
        self.selector = selectors.DefaultSelector()

    def __enter__(self) -> "WorkerPool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Kill every worker and forget what is queued."""
        self.queue.clear()
        for worker in list(self.workers):
            self._discard(worker)
        self.selector.close()

    def submit(self, task: Task) -> None:
        """Queue a task, and start judging if a worker is free."""
        self.queue.append(task)
        self._dispatch()

    def step(self) -> None:
        """Wait until something happens: a reply, a death, or an expired guard."""
        self._dispatch()
        wait = min(worker.expires for worker in self.workers if worker.task or not worker.ready) - time.monotonic()
        for key, _ in self.selector.select(max(wait, 0.0)):
            self._read(key.data)
        now = time.monotonic()
        for worker in [one for one in self.workers if (one.task or not one.ready) and one.expires < now]:
            self._bury(worker, expired=True)
        self._dispatch()

    def _dispatch(self) -> None:
        idle = [worker for worker in self.workers if worker.ready and worker.task is None]
        starting = sum(not worker.ready for worker in self.workers)
        while self.queue and idle:
            worker = idle.pop()
            if not worker.send(self.queue.popleft(), self.deadline):
                self._bury(worker)
        for _ in range(min(self.size - len(self.workers), len(self.queue) - starting)):
            worker = Worker(self.grader)
            self.workers.append(worker)
            self.selector.register(worker.replies, selectors.EVENT_READ, worker)

    def _read(self, worker: Worker) -> None:
        reply = worker.receive()
        if reply is None:
            self._bury(worker)
        elif reply == "ready":
            worker.ready = True
        elif reply:
            assert worker.task  # it answers what it was sent
            worker.task.outcome = cast(Outcome, reply)
            worker.task = None

    def _bury(self, worker: Worker, expired: bool = False) -> None:
        """Remove a dead or stuck worker and settle its task: over the deadline, or once more in a fresh process.

        A death that the deadline did not cause may be the task's doing (memory) or somebody else's (a signal to the
        job): the second try tells, and a second death counts as a timeout.
        """
        code = self._discard(worker)
        if not worker.ready:
            raise RuntimeError(
                f"A grading worker did not start (exit code {code}); run `{sys.executable} -P {WORKER} {self.grader}` to see why."
            )
        task = worker.task
        if task is None:
            return
        task.deaths += 1
        if expired or code == -signal.SIGPROF or task.deaths > 1:
            task.outcome = "timeout"
        else:
            self.queue.appendleft(task)

    def _discard(self, worker: Worker) -> int:
        self.selector.unregister(worker.replies)
        self.workers.remove(worker)
        return worker.kill()
