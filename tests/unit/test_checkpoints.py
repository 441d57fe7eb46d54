"""Checkpoints, locks and stop requests, with real processes and real signals."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lossgeometry.atomic import CannotWrite, atomic_file, atomic_folder
from lossgeometry.checkpoints import CheckpointFolder, CorruptedCheckpoint, checkpoint_root, verify
from lossgeometry.locks import SecondWriter, WriterLock
from lossgeometry.stopping import STOPPED_EXIT_CODE, StopSignals

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"
STEPS = 30

# A stand-in for a trainer: its state is a chain of hashes, so every step depends on all the steps before it.
TRAINER = """
import hashlib, sys, time
from pathlib import Path
from lossgeometry.atomic import atomic_file
from lossgeometry.checkpoints import CheckpointFolder
from lossgeometry.stopping import StopSignals

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


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("uninterrupted")
    process = start(folder / "checkpoints", folder / "out")
    assert process.wait(60) == 0
    return (folder / "out").read_bytes()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_killed_at_random_moments_gives_the_bytes_of_an_uninterrupted_run(tmp_path, expected, number):
    root, output = tmp_path / "checkpoints", tmp_path / "out"
    moments = random.Random(number)
    interruptions = 0
    for step in (1, 7, 12, 20, 28):
        process = start(root, output, pause=0.01)
        wait_for_step(process, step)
        time.sleep(moments.uniform(0, 0.03))
        process.send_signal(number)
        _, errors = process.communicate(timeout=30)
        assert process.returncode == (-signal.SIGKILL if number == signal.SIGKILL else STOPPED_EXIT_CODE), errors
        assert not output.exists()
        interruptions += 1
    process = start(root, output)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    assert interruptions == 5 and "Continuing from the checkpoint" in errors
    assert output.read_bytes() == expected
    assert not root.exists(), "success clears the checkpoints and the lock"


def test_sigterm_saves_the_step_it_interrupted(tmp_path):
    process = start(tmp_path / "checkpoints", tmp_path / "out", pause=0.05)
    wait_for_step(process, 4)
    process.send_signal(signal.SIGTERM)
    rest, errors = process.communicate(timeout=30)
    last = int(rest.split()[-1]) if rest else 4
    assert f"Stopped by SIGTERM: saved step {last}; the next attempt continues there.\n" in errors
    assert (tmp_path / "checkpoints" / "d1" / f"step-{last:08d}").is_dir()


def test_a_kill_inside_a_save_leaves_the_checkpoint_before_it(tmp_path, expected):
    root, output = tmp_path / "checkpoints", tmp_path / "out"
    process = start(root, output, pause=0.3)
    partial = root / "d1" / ".step-00000006.partial" / "state"
    while not partial.exists():
        assert process.poll() is None
        time.sleep(0.005)
    process.kill()
    process.communicate()
    assert partial.exists()
    process = start(root, output)
    _, errors = process.communicate(timeout=30)
    assert "step-00000003" in errors and output.read_bytes() == expected


def damage_bytes(path: Path) -> None:
    content = bytearray((path / "state").read_bytes())
    content[0] ^= 1
    (path / "state").write_bytes(content)


def damage_manifest(path: Path) -> None:
    (path / "manifest.json").write_text('{"digest": "d1"')


def claim_foreign(path: Path) -> None:
    manifest = json.loads((path / "manifest.json").read_text())
    (path / "manifest.json").write_text(json.dumps({**manifest, "digest": "other"}))


@pytest.mark.parametrize(
    ("damage", "line"),
    [
        (damage_bytes, "its file state was damaged after it was written"),
        (lambda path: (path / "state").unlink(), "its file state is missing"),
        (lambda path: os.truncate(path / "state", 0), "its file state was damaged after it was written"),
        (lambda path: (path / "more").touch(), "its file more is not in the manifest"),
        (lambda path: (path / "manifest.json").unlink(), "its manifest is missing or unreadable"),
        (damage_manifest, "its manifest is missing or unreadable"),
        (claim_foreign, "it belongs to another configuration, code version or input (other)"),
    ],
)
def test_a_damaged_checkpoint_is_ignored_with_one_line(tmp_path, capsys, damage, line):
    with CheckpointFolder(tmp_path / "run", "d1") as folder:
        good = folder.save(1, write_state(b"one"))
        bad = folder.save(2, write_state(b"two"))
        damage(bad.path)
        assert folder.latest() == good
        printed = capsys.readouterr().err.splitlines()
        assert printed == [
            f"Ignored the checkpoint {bad.path}: {line}.",
            f"Continuing from the checkpoint {good.path}.",
        ]
        with pytest.raises(CorruptedCheckpoint):
            verify(bad.path, "d1")


def test_a_damaged_newer_checkpoint_does_not_push_out_good_ones(tmp_path):
    with CheckpointFolder(tmp_path / "run", "d1") as folder:
        folder.save(1, write_state(b"one"))
        damage_bytes(folder.save(9, write_state(b"nine")).path)
        folder.save(2, write_state(b"two"))
        assert sorted(path.name for path in folder.path.iterdir()) == ["step-00000001", "step-00000002"]
        folder.save(3, write_state(b"three"))
        assert sorted(path.name for path in folder.path.iterdir()) == ["step-00000002", "step-00000003"]


def test_checkpoints_of_another_digest_are_ignored_with_one_line_and_kept(tmp_path, capsys):
    root = checkpoint_root(tmp_path, "train", "sft.lr5e-06.s42")
    with CheckpointFolder(root, "old") as folder:
        foreign = folder.save(5, write_state(b"old")).path
    with CheckpointFolder(root, "new") as folder:
        assert folder.latest() is None
        folder.save(1, write_state(b"new"))
        folder.clear()
        assert not folder.path.exists()
    printed = capsys.readouterr().err.splitlines()
    assert len(printed) == 1 and str(root / "old") in printed[0] and "another configuration" in printed[0]
    verify(foreign, "old")


def test_a_second_writer_is_refused_in_one_sentence_and_the_first_goes_on(tmp_path, expected):
    root, output = tmp_path / "checkpoints", tmp_path / "out"
    first = start(root, output, pause=0.03)
    wait_for_step(first, 1)
    for digest in ("d1", "another"):
        second = start(root, output, digest=digest)
        _, errors = second.communicate(timeout=30)
        assert second.returncode == 1
        sentence = errors.splitlines()[-1]
        assert f"SecondWriter: Process {first.pid} on " in sentence and str(root) in sentence
    assert first.wait(60) == 0
    assert output.read_bytes() == expected


def test_the_lock_of_a_dead_process_on_this_machine_expires_at_once(tmp_path):
    root = tmp_path / "checkpoints"
    process = start(root, tmp_path / "out", pause=0.05)
    wait_for_step(process, 1)
    process.kill()
    process.communicate()
    assert (root / "writer.lock").exists()
    with WriterLock(root / "writer.lock", "d1", stale_seconds=3600) as lock:
        assert json.loads(lock.path.read_text())["pid"] == os.getpid()
    assert list(root.glob("writer.lock*")) == []


def foreign_lock(path: Path, age: float) -> None:
    """A lock of a process on another machine whose number is free here."""
    path.write_text(json.dumps({"host": "node7", "pid": 2**22 + 1, "digest": "d1", "machine": "node7", "token": "t"}))
    then = time.time() - age
    os.utime(path, (then, then))


@pytest.mark.parametrize("content", ["", "{", "[]"])
def test_an_unreadable_lock_counts_as_held_until_it_expires(tmp_path, content):
    path = tmp_path / "writer.lock"
    path.write_text(content)
    with pytest.raises(SecondWriter), WriterLock(path, "d1", stale_seconds=60):
        pass
    os.utime(path, (time.time() - 61, time.time() - 61))
    with WriterLock(path, "d1", stale_seconds=60):
        pass


def test_a_lock_of_another_host_expires_after_the_configured_silence(tmp_path):
    path = tmp_path / "writer.lock"
    foreign_lock(path, age=50)
    with pytest.raises(SecondWriter, match=r"Process \d+ on node7 .* expires after 60 s"), WriterLock(path, "d1", 60):
        pass
    assert json.loads(path.read_text())["token"] == "t", "a refused writer leaves the lock alone"
    with WriterLock(path, "d1", stale_seconds=40):
        assert json.loads(path.read_text())["token"] != "t"
    assert list(tmp_path.iterdir()) == []


def test_the_heartbeat_keeps_a_lock_alive_longer_than_its_silence(tmp_path):
    path = tmp_path / "writer.lock"
    with WriterLock(path, "d1", stale_seconds=0.4):
        content = json.loads(path.read_text())
        path.write_text(json.dumps({**content, "machine": "elsewhere"}))  # so that only the heartbeat speaks for it
        deadline = time.monotonic() + 1.5
        while time.monotonic() < deadline:
            with pytest.raises(SecondWriter), WriterLock(path, "d1", stale_seconds=0.4):
                pass
            time.sleep(0.05)


def test_whoever_lost_the_lock_stops_before_it_writes(tmp_path):
    with CheckpointFolder(tmp_path / "run", "d1") as folder:
        folder.save(1, write_state(b"one"))
        foreign_lock(folder.root / "writer.lock", age=0)
        with pytest.raises(SecondWriter, match="Lost the lock"):
            folder.save(2, write_state(b"two"))
        with pytest.raises(SecondWriter, match="Lost the lock"):
            folder.clear()
        assert folder.latest().step == 1
    assert (folder.root / "writer.lock").exists(), "the lock of the other process is not ours to remove"


def test_of_many_writers_that_find_a_stale_lock_one_gets_it(tmp_path):
    path = tmp_path / "run" / "writer.lock"
    path.parent.mkdir()
    foreign_lock(path, age=1000)
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom lossgeometry.locks import WriterLock\n"
        "with WriterLock(Path(sys.argv[1]), 'd1', 60):\n    print('got it', flush=True)\n    sys.stdin.read()\n"
    )
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(path)],
            env={**os.environ, "PYTHONPATH": str(SCRIPTS)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(6)
    ]
    deadline = time.monotonic() + 30
    while sum(writer.poll() is None for writer in writers) > 1 and time.monotonic() < deadline:
        time.sleep(0.02)
    said = [writer.communicate(timeout=30) for writer in writers]
    assert sum(output == "got it\n" for output, _ in said) == 1
    assert sum("SecondWriter" in errors for _, errors in said) == 5


def test_a_second_interrupt_ends_the_process_and_the_handlers_come_back():
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with StopSignals() as stop:
        assert stop.requested is None
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.requested == "SIGTERM"
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.requested == "SIGINT"
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def test_files_and_folders_appear_complete_or_not_at_all(tmp_path):
    with atomic_file(tmp_path / "new" / "file") as partial:
        partial.write_text("whole")
        assert not (tmp_path / "new" / "file").exists()
    assert (tmp_path / "new" / "file").read_text() == "whole"
    for _ in range(2):  # the second time it replaces a folder that is not empty
        with atomic_folder(tmp_path / "new" / "folder") as partial:
            (partial / "a").write_text("a")
    with pytest.raises(ZeroDivisionError), atomic_file(tmp_path / "new" / "file") as partial:
        partial.write_text("half")
        raise ZeroDivisionError
    with pytest.raises(ZeroDivisionError), atomic_folder(tmp_path / "new" / "folder") as partial:
        (partial / "b").write_text("b")
        raise ZeroDivisionError
    assert sorted(path.name for path in (tmp_path / "new").rglob("*")) == ["a", "file", "folder"]
    assert (tmp_path / "new" / "file").read_text() == "whole"


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("mounting a small tmpfs needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_one_sentence_and_costs_only_the_new_checkpoint(small_disk):
    from numpy import zeros
    from safetensors.numpy import save_file

    def as_torch_reports_it(path: Path) -> None:
        with pytest.raises(OSError):
            (path / "state").write_bytes(bytes(10**6))
        raise RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 19456 vs 19344")

    with CheckpointFolder(small_disk / "run", "d1") as folder:
        good = folder.save(1, write_state(b"one"))
        for write in (
            as_torch_reports_it,
            write_state(bytes(10**6)),
            lambda path: save_file({"weight": zeros(10**6)}, path / "state.safetensors"),
        ):
            with pytest.raises(CannotWrite, match=r"^Cannot write .*: the disk is full; free some space, then run"):
                folder.save(2, write)
        assert folder.latest() == good
        assert [path.name for path in folder.path.iterdir()] == ["step-00000001"], "the failed one frees its space"
    (small_disk / "filler").write_bytes(bytes(os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_bsize))
    with pytest.raises(CannotWrite, match="the disk is full"), CheckpointFolder(small_disk / "other", "d1"):
        pass
    (small_disk / "filler").unlink()
    with CheckpointFolder(small_disk / "other", "d1") as folder:
        folder.save(1, write_state(b"one"))


def test_a_read_only_folder_is_one_sentence(small_disk):
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(CannotWrite, match="the file system is read-only; make it writable or choose another"):
        with CheckpointFolder(small_disk / "run", "d1"):
            pass
    with pytest.raises(CannotWrite, match="read-only"), atomic_file(small_disk / "file"):
        pass
