"""A process that judges answers with one grader, one JSON line in, one out; it may be killed at any moment.

It is started by path with the grader's name and never imports PyTorch, so a trainer that holds a GPU can start it.
Requests are `[gold, box, deadline]`, replies the outcome. The deadline is CPU time and is enforced by the kernel
(ITIMER_PROF at its default action, death): math-verify's own alarms do not fire inside big-integer arithmetic, and a
wall clock would let a busy machine change verdicts.
"""

import importlib
import json
import logging
import os
import resource
import signal
import sys
from pathlib import Path

MEMORY_BYTES = 2 << 30


def serve(grader: str) -> None:
    """Answer requests until standard input ends."""
    # Parsers print to standard output: replies get a descriptor of their own.
    with os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="ascii") as replies:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        logging.disable(logging.CRITICAL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group: the parent ends this process
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        judge = importlib.import_module(f"lossgeometry.grading.graders.{grader}").judge
        judge("x", "y")  # loads what the grader loads only now
        print("ready", file=replies, flush=True)
        for line in sys.stdin:
            gold, box, deadline = json.loads(line)
            signal.setitimer(signal.ITIMER_PROF, deadline)
            outcome = judge(gold, box)
            signal.setitimer(signal.ITIMER_PROF, 0)
            print(outcome, file=replies, flush=True)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # this library
    from lossgeometry.preloading import run_in_fork

    run_in_fork("verdicts")
    serve(sys.argv[1])
