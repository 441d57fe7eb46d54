"""Files and folders that appear complete or not at all.

A job that is killed, or that fills the disk, must leave nothing that looks finished: everything is written beside its
destination under a hidden name, forced to disk, and renamed.
"""

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from lossgeometry.errors import CannotWrite

PROBE_BYTES = 1 << 20

_CURES: dict[int | None, str] = {
    errno.ENOSPC: "the disk is full; free some space",
    errno.EDQUOT: "the disk quota is used up; free some space",
    errno.EFBIG: "the file would be larger than the limit that is set here; raise it",
    errno.EROFS: "the file system is read-only; make it writable or choose another results folder",
    errno.EACCES: "the permission is missing; make the folder writable or choose another results folder",
    errno.EPERM: "the permission is missing; make the folder writable or choose another results folder",
}


@contextmanager
def clear_write_errors(path: Path) -> Iterator[None]:
    """Turn a full disk, a spent quota or a read-only folder into :class:`CannotWrite`; other errors pass unchanged."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        cure = _CURES.get(_error_number(error))
        if cure is None:
            raise
        raise CannotWrite(f"Cannot write {path}: {cure}, then run it again; whatever was complete is kept.") from error


def _error_number(error: OSError | SafetensorError) -> int | None:
    if isinstance(error, OSError):
        return error.errno
    # safetensors writes from Rust and hands the number over in the text only.
    found = re.search(r"os error (\d+)", str(error))
    return int(found.group(1)) if found else None


def partial_path(path: Path) -> Path:
    """The hidden name beside ``path`` under which it is written; always the same, so that leftovers get replaced."""
    return path.with_name(f".{path.name}.partial")


def remove(path: Path) -> None:
    """Remove a file or a folder tree; absent is fine."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def atomic_file(path: str | Path) -> Iterator[Path]:
    """Yield a path to write to; at success it is forced to disk and renamed to ``path``.

    Raises:
        CannotWrite: the disk is full or the folder is read-only.
    """
    path = Path(path)
    partial = partial_path(path)
    with clear_write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        remove(partial)
        with _discarded_on_failure(partial):
            yield partial
            make_readable(partial)
            sync(partial)
            os.replace(partial, path)
        sync(path.parent)


@contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """Yield an empty folder to fill; at success all of it is forced to disk and renamed to ``path``.

    A folder that is already at ``path`` is replaced.

    Raises:
        CannotWrite: the disk is full or the folder is read-only.
    """
    path = Path(path)
    partial = partial_path(path)
    with clear_write_errors(path):
        remove(partial)
        partial.mkdir(parents=True)
        with _discarded_on_failure(partial):
            yield partial
            for file in partial.rglob("*"):
                make_readable(file)
            sync_tree(partial)
            remove(path)
            os.replace(partial, path)
        sync(path.parent)


@contextmanager
def _discarded_on_failure(partial: Path) -> Iterator[None]:
    try:
        yield
    except RuntimeError:
        # torch reports a write that failed without the system's reason; one more write brings it out.
        probe = partial.with_name(f"{partial.name}.probe")
        try:
            probe.write_bytes(bytes(PROBE_BYTES))
            sync(probe)
        finally:
            probe.unlink(missing_ok=True)
            remove(partial)
        raise
    except BaseException:
        remove(partial)
        raise


def make_readable(path: Path) -> None:
    """Let those read a file whom the umask does not keep out: safetensors makes its files for the owner alone."""
    if path.is_symlink() or not path.is_file():
        return
    mask = os.umask(0)
    os.umask(mask)
    path.chmod(path.stat().st_mode | 0o444 & ~mask)


def sync(path: Path) -> None:
    """Force one file, or the entries of one folder, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Force every file and folder below ``folder`` to disk."""
    for parent, _, names in os.walk(folder):
        for name in names:
            sync(Path(parent, name))
        sync(Path(parent))
