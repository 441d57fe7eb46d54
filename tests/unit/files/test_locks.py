"""One writer at a time, with real processes: whoever holds the lock goes on, everybody else says who that is."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hashing_trainer import SCRIPTS, start, uninterrupted, wait_for_step, write_state

from lossgeometry.errors import SecondWriter
from lossgeometry.files.locks import WriterLock
from lossgeometry.files.resuming import CheckpointFolder


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return uninterrupted(tmp_path_factory.mktemp("uninterrupted"))


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
        "import sys, time\nfrom pathlib import Path\nfrom lossgeometry.files.locks import WriterLock\n"
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
