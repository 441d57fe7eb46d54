"""One training run in several processes on this machine, which `accelerate` finds by the variables that torchrun also sets."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from typing import Any

from lossgeometry.provenance import SCRIPTS
from lossgeometry.script import THREAD_VARIABLES

PROCESS = "lossgeometry.training.run"
"""What each process runs."""
POLL_SECONDS = 0.2


def launch(arguments: list[Any], processes: int) -> None:
    """Call `run.train` with these arguments (JSON types) in so many processes, and wait for them.

    SIGTERM and SIGINT are passed on. When one process fails, the others are ended.

    Raises
    ------
    SystemExit
        With the exit status of the first process that failed.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    threads = str(max(1, int(os.environ.get(THREAD_VARIABLES[0], "1")) // processes))
    path = os.pathsep.join([str(SCRIPTS), *filter(None, [os.environ.get("PYTHONPATH")])])
    common = (
        os.environ
        | dict.fromkeys(THREAD_VARIABLES, threads)
        | {
            "PYTHONPATH": path,
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
            "WORLD_SIZE": str(processes),
            "LOCAL_WORLD_SIZE": str(processes),
        }
    )
    command = [sys.executable, "-m", PROCESS, json.dumps(arguments)]
    workers = [
        subprocess.Popen(command, env=common | {"RANK": str(rank), "LOCAL_RANK": str(rank)})
        for rank in range(processes)
    ]

    def pass_on(number: int, frame: Any) -> None:
        for worker in workers:
            if worker.poll() is None:
                worker.send_signal(number)

    previous = {number: signal.signal(number, pass_on) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        while any(worker.poll() is None for worker in workers) and not any(worker.poll() for worker in workers):
            time.sleep(POLL_SECONDS)
        # Processes that were asked to stop leave one after the other; one that waits for a dead one never does.
        _end(workers)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    failed = next((worker.returncode for worker in workers if worker.returncode), 0)
    if failed:
        sys.exit(failed if failed > 0 else 128 - failed)


def _end(workers: list[subprocess.Popen], patience_seconds: float = 30.0) -> None:
    deadline = time.monotonic() + patience_seconds
    while any(worker.poll() is None for worker in workers) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    for worker in workers:
        if worker.poll() is None:
            worker.kill()
        worker.wait()
