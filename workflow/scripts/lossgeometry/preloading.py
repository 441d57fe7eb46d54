"""Processes that have imported what jobs import, of which the jobs of one call of Snakemake are forks.

torch and transformers take four CPU seconds to import, pandas and SciPy one, math-verify half of one: most of what a short job
takes, and there are as many such jobs as runs and stages. To Snakemake jobs stay what they are: one process each, which waits for
its fork, hands on SIGTERM and ends as the fork ends; when it is killed, so is the fork. Where no such process can be had, a job
imports for itself, with the same result.

For jobs of one thread on Linux, where no accelerator is: the pools of a library and a driver do not survive a fork. Modules of
this library are imported by each job, which compares their code with the plan.
"""

import atexit
import ctypes
import gc
import importlib
import json
import os
import runpy
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

EVERY_JOB = (
    "snakemake.logging",
    "snakemake.iocontainers",
    "numpy",
    "pandas",
    "pyarrow.parquet",
    "pydantic.fields",
    "pydantic.main",
    "pydantic.types",
)
IMPORTED = {
    "models": (
        *EVERY_JOB,
        "torch",
        "transformers.models.auto.modeling_auto",
        "transformers.models.auto.tokenization_auto",
        "transformers.models.qwen3.modeling_qwen3",
        "transformers.generation.logits_process",
        "peft",
        "datasets",
        "trl.trainer.sft_trainer",
        "trl.trainer.dpo_trainer",
    ),
    "tables": (
        *EVERY_JOB,
        "safetensors.numpy",
        "scipy.cluster.hierarchy",
        "scipy.interpolate",
        "scipy.stats",
    ),
    "verdicts": ("math_verify",),
}
"""What jobs import of others, by kind: those with a model, all others, and the workers that judge answers. A job that needs more,
or another model's class, imports that itself."""
DRIVERS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1")
# Read when these libraries are imported; `script.job` sets the same.
OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TQDM_DISABLE": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
NUMBER = 8
"""Bytes of a number on a connection."""
PR_SET_PDEATHSIG = 1
"""Parameter of Linux's prctl."""


def variable_of(kind: str) -> str:
    """Return the environment variable with the address of the process for jobs of a kind."""
    return f"LOSSGEOMETRY_PRELOADED_{kind.upper()}"


def start(kind: str, imported: Sequence[str]) -> None:
    """Start the process for jobs of a kind, and let those that this process starts find it; it imports when the first one asks.

    It ends when this process has ended and its last fork, whatever ended them.
    """
    if sys.platform != "linux" or any(map(os.path.exists, DRIVERS)):
        return
    folder = tempfile.mkdtemp(prefix="preloaded-")
    address = f"{folder}/socket"
    end, _kept_open = os.pipe()  # the reading end meets its end when this process has ended
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()  # from here on: a job that asks early waits
        subprocess.Popen(
            [sys.executable, "-P", "-m", __name__, address, str(listener.fileno()), *imported],
            # The hash seed is the one of grading workers: SymPy's orderings depend on it.
            env=os.environ
            | {"PYTHONPATH": str(Path(__file__).parents[1]), "PYTHONHASHSEED": "0"}
            | ONE_THREAD
            | OFFLINE,
            pass_fds=[listener.fileno()],
            stdin=end,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    os.close(end)
    os.environ[variable_of(kind)] = address


def run_in_fork(kind: str) -> None:
    """Run the script of this process in a fork of the preloaded process, and end as that ends; return if there is none."""
    address = os.environ.pop(variable_of(kind), None)
    if address is None:
        return
    with socket.socket(socket.AF_UNIX) as connection:
        request = {"argv": sys.argv, "path": sys.path, "folder": os.getcwd(), "environment": dict(os.environ)}
        try:
            connection.connect(address)
            _send(connection, json.dumps(request).encode())
            fork = _receive_number(connection)
        except OSError:
            return
        # A terminal sends Ctrl-C to the fork as well, a cluster or a person SIGTERM to this process alone.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda number, frame: os.kill(fork, number))
        try:
            code = _receive_number(connection)
        except OSError:
            sys.exit("The preloaded process of this job was killed.")
    if code < 0:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)


def serve(listener: socket.socket, imported: Sequence[str]) -> dict[str, Any]:
    """Fork for each request until the end of standard input and of all forks; return, in a fork, what was requested."""
    connections: dict[int, socket.socket] = {}  # by the fork's process
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        selector.register(sys.stdin.fileno(), selectors.EVENT_READ)
        while connections or listener.fileno() >= 0:
            for key, _ in selector.select():
                if key.fileobj is listener:
                    connection, _ = listener.accept()
                    try:
                        request, descriptors = _receive(connection)
                    except OSError:
                        continue  # killed before it had asked
                    for name in imported:
                        importlib.import_module(name)
                    gc.freeze()
                    fork = os.fork()
                    if not fork:
                        for other in (listener, connection, *connections.values()):
                            other.close()
                        return request | {"descriptors": descriptors}
                    for descriptor in descriptors:
                        os.close(descriptor)
                    connections[fork] = connection
                    selector.register(connection, selectors.EVENT_READ, fork)
                    selector.register(os.pidfd_open(fork), selectors.EVENT_READ, fork)
                    _send_number(connection, fork)
                elif key.data is None:  # the end of standard input
                    selector.unregister(key.fileobj)
                    selector.unregister(listener)
                    listener.close()
                elif key.data not in connections:
                    pass  # its fork ended in this round
                elif key.fileobj is connections[key.data]:  # the job was killed
                    os.kill(key.data, signal.SIGKILL)
                    selector.unregister(key.fileobj)
                else:
                    _, status = os.waitpid(key.data, 0)
                    connection = connections.pop(key.data)
                    if connection in selector.get_map():
                        selector.unregister(connection)
                    selector.unregister(key.fileobj)
                    os.close(key.fd)
                    _send_number(connection, os.waitstatus_to_exitcode(status))
                    connection.close()
    raise SystemExit


def become(request: dict[str, Any]) -> None:
    """Turn this fork into the process that asked for it, and run its script."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    for number, descriptor in enumerate(request["descriptors"]):
        os.dup2(descriptor, number)
        os.close(descriptor)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv[:], sys.path[:] = request["argv"], request["path"]
    for name in [name for name in sys.modules if name.partition(".")[0] == "lossgeometry"]:
        del sys.modules[name]
    runpy.run_path(sys.argv[0], run_name="__main__")


def _send(connection: socket.socket, text: bytes) -> None:
    socket.send_fds(connection, [len(text).to_bytes(NUMBER)], [0, 1, 2])
    connection.sendall(text)


def _receive(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    length, descriptors, _, _ = socket.recv_fds(connection, NUMBER, 3)
    return json.loads(_received(connection, int.from_bytes(length))), descriptors


def _send_number(connection: socket.socket, number: int) -> None:
    try:
        connection.sendall(number.to_bytes(NUMBER, signed=True))
    except OSError:
        pass  # the job was killed; the next round of the selector says so


def _receive_number(connection: socket.socket) -> int:
    return int.from_bytes(_received(connection, NUMBER), signed=True)


def _received(connection: socket.socket, length: int) -> bytes:
    parts = []
    while length:
        parts.append(connection.recv(length))
        if not parts[-1]:
            raise ConnectionResetError
        length -= len(parts[-1])
    return b"".join(parts)


def main(address: str, listener: str, *imported: str) -> None:
    """Serve requests at an address, of which the listening socket is handed on."""
    for number in (signal.SIGINT, signal.SIGTERM):  # the forks stop for these, and say so to their jobs
        signal.signal(number, signal.SIG_IGN)
    keeper = os.getpid()
    try:
        request = serve(socket.socket(fileno=int(listener)), imported)
    finally:
        if os.getpid() == keeper:
            shutil.rmtree(Path(address).parent)
    become(request)
    # What Python would do at the end of a process, but for freeing every object, all imports included: this touches the memory
    # that is shared with the preloaded process, and takes a third of a second. An exception leaves as it always does.
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
