"""Which GPUs this machine has, and which of them a job takes. Light: asked before torch is imported."""

import fcntl
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from lossgeometry.errors import InputError

VISIBLE = "CUDA_VISIBLE_DEVICES"
SCHEDULERS = ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID")
"""Variables of a job that a scheduler started."""
ANSWER_SECONDS = 15
WAIT_SECONDS = 2.0


@dataclass(frozen=True)
class Gpu:
    """A GPU that nvidia-smi lists, and that this process may use."""

    name: str
    memory: int
    """Bytes."""
    identity: str = ""
    """UUID: the same for every process, whatever a scheduler renumbers."""


def list_gpus() -> list[Gpu]:
    """Return the GPUs that CUDA_VISIBLE_DEVICES leaves, in its order; none where there is no nvidia-smi."""
    call = ["nvidia-smi", "--query-gpu=name,memory.total,uuid", "--format=csv,noheader,nounits"]
    try:
        lines = subprocess.run(
            call, capture_output=True, text=True, check=True, timeout=ANSWER_SECONDS
        ).stdout.splitlines()
    except (OSError, subprocess.SubprocessError):
        return []
    fields = [[field.strip() for field in line.rsplit(",", 2)] for line in lines if line.strip()]
    gpus = [Gpu(name, int(memory) << 20, identity) for name, memory, identity in fields]
    if VISIBLE not in os.environ:
        return gpus
    names = [name.strip() for name in os.environ[VISIBLE].split(",") if name.strip()]
    return [gpu for name in names for gpu in _named(name, gpus)]


def _named(name: str, gpus: list[Gpu]) -> list[Gpu]:
    """Return the GPU of a number, of the start of a UUID, or a part of one (MIG), whose memory is not known."""
    if name.isdigit():
        return gpus[int(name) : int(name) + 1]
    if name.startswith("MIG-"):
        return [Gpu(name, 0, name)]
    return [gpu for gpu in gpus if gpu.identity.startswith(name)]


@contextmanager
def taken(count: int, folder: Path | None = None) -> Iterator[None]:
    """Let this process see `count` GPUs that no other job of this user on this machine has taken; wait until there are.

    A job that asks for none sees none, so that its result does not depend on what else the machine has. What a scheduler has
    chosen stays, and where there is no nvidia-smi nothing is changed. A lock ends with its process, however that ends.

    Parameters
    ----------
    folder
        Where the locks lie; by default in the folder for temporary files of this machine.

    Raises
    ------
    InputError
        If the machine has GPUs, but fewer.
    """
    gpus = list_gpus() if count else []
    if count and (not gpus or (len(gpus) == count and any(name in os.environ for name in SCHEDULERS))):
        yield
        return
    if len(gpus) < count:
        raise InputError(
            f"the job asks for {count} GPUs and may use {len(gpus)} here; lower training.processes, or set {VISIBLE} to more"
        )
    folder = folder or Path(tempfile.gettempdir()) / f"lossgeometry-gpus-{os.getuid()}"
    before = os.environ.get(VISIBLE)
    with ExitStack() as locks:
        os.environ[VISIBLE] = ",".join(gpu.identity for gpu in _lock(gpus, count, folder, locks))
        try:
            yield
        finally:
            os.environ.pop(VISIBLE, None)
            if before is not None:
                os.environ[VISIBLE] = before


def _lock(gpus: list[Gpu], count: int, folder: Path, locks: ExitStack) -> list[Gpu]:
    """Return the first free GPUs, with their locks held."""
    folder.mkdir(parents=True, exist_ok=True)
    said = False
    while count:
        with (folder / "gate").open("w") as gate, ExitStack() as attempt:
            fcntl.flock(
                gate, fcntl.LOCK_EX
            )  # one job chooses at a time: two of them never hold half of what they need each
            chosen: list[Gpu] = []
            for gpu in gpus:
                if len(chosen) < count and _is_free(attempt.enter_context((folder / gpu.identity).open("w"))):
                    chosen.append(gpu)
            if len(chosen) == count:
                locks.push(attempt.pop_all())
                return chosen
        if not said:
            print(f"waiting for {count} of {len(gpus)} GPUs, which other jobs have taken", file=sys.stderr, flush=True)
            said = True
        time.sleep(WAIT_SECONDS)
    return []


def _is_free(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
