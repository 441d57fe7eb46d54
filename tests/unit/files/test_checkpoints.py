"""Checkpoints and stop requests, with real processes and real signals."""

import json
import os
import random
import signal
import time
from pathlib import Path

import pytest
from hashing_trainer import start, uninterrupted, wait_for_step, write_state

from lossgeometry.files.resuming import CheckpointFolder, CorruptedCheckpoint, checkpoint_root, verify
from lossgeometry.files.stopping import STOPPED_EXIT_CODE, StopSignals


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return uninterrupted(tmp_path_factory.mktemp("uninterrupted"))


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
