"""Files and folders appear complete or not at all, and a disk that refuses is one sentence."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hashing_trainer import write_state
from safetensors.numpy import save_file

from lossgeometry.errors import CannotWrite
from lossgeometry.files.atomic import atomic_file, atomic_folder
from lossgeometry.files.resuming import CheckpointFolder


@pytest.mark.parametrize("mask, mode", [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600)])
def test_those_read_a_result_whom_the_umask_does_not_keep_out(tmp_path, mask, mode):
    mine = tmp_path / "weights"
    mine.touch(mode=0o600)
    previous = os.umask(mask)
    try:
        with atomic_file(tmp_path / "new.safetensors") as partial:
            save_file({"a": np.zeros(2)}, partial)
        with atomic_folder(tmp_path / "folder") as partial:
            save_file({"a": np.zeros(2)}, partial / "model.safetensors")
            (partial / "linked").symlink_to(mine)
    finally:
        os.umask(previous)
    for path in (tmp_path / "new.safetensors", tmp_path / "folder" / "model.safetensors"):
        assert path.stat().st_mode & 0o777 == mode
    assert mine.stat().st_mode & 0o777 == 0o600, "what is linked is not ours"


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
