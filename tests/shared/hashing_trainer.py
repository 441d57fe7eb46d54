"""A process that checkpoints as trainers do, quick enough to be killed many times."""

import os
import subprocess
import sys
from pathlib import Path

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"
STEPS = 30

# A stand-in for a trainer: its state is a chain of hashes, so every step depends on all the steps before it.
TRAINER = """
import hashlib, sys, time
from pathlib import Path
from lossgeometry.files.atomic import atomic_file
from lossgeometry.files.resuming import CheckpointFolder
from lossgeometry.files.stopping import StopSignals

root, output, digest = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
steps, pause = int(sys.argv[4]), float(sys.argv[5])

def write(path):
    (path / "state").write_bytes(state)
    time.sleep(pause)  # a kill may come between the two files of a checkpoint
    (path / "optimizer").mkdir()
    (path / "optimizer" / "moments").write_bytes(state[::-1])

with CheckpointFolder(root, digest, stale_seconds=30) as folder, StopSignals() as stop:
    checkpoint = folder.latest()
    state = (checkpoint.path / "state").read_bytes() if checkpoint else digest.encode()
    for step in range(checkpoint.step if checkpoint else 0, steps):
        state = hashlib.sha256(state + bytes([step])).digest()
        time.sleep(pause)
        print("step", step + 1, flush=True)
        if stop.requested or (step + 1) % 3 == 0:
            folder.save(step + 1, write)
        if stop.requested:
            stop.leave(f"step {step + 1}")
    with atomic_file(output) as partial:
        partial.write_bytes(state)
    folder.clear()
"""


def start(root: Path, output: Path, *, digest: str = "d1", pause: float = 0.0) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", TRAINER, str(root), str(output), digest, str(STEPS), str(pause)],
        env={**os.environ, "PYTHONPATH": str(SCRIPTS)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_step(process: subprocess.Popen[str], step: int) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if int(line.split()[1]) >= step:
            return
    raise AssertionError(f"the trainer ended before step {step}: {process.communicate()[1]}")


def write_state(content: bytes):
    def write(path: Path) -> None:
        (path / "state").write_bytes(content)

    return write


def uninterrupted(folder: Path) -> bytes:
    """Return what the trainer writes when nothing disturbs it."""
    process = start(folder / "checkpoints", folder / "out")
    assert process.wait(60) == 0
    return (folder / "out").read_bytes()
