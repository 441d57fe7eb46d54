"""Checkpoints of a job that takes hours, so that a killed job continues instead of starting again.

They live in ``<results>/.checkpoints/<kind>/<id>/<digest>/step-<step>/``, which no Snakemake rule declares: Snakemake
removes the outputs of a failed job, and never looks here. The digest is that of everything the result depends on
(configuration, code, inputs), so a checkpoint can only be continued by the very job that wrote it.

    with CheckpointFolder(checkpoint_root(results, "train", run), digest) as folder, StopSignals() as stop:
        checkpoint = folder.latest()
        for step in range(checkpoint.step if checkpoint else 0, steps):
            ...
            if stop.requested or due(step + 1):
                folder.save(step + 1, write)
            if stop.requested:
                stop.leave(f"step {step + 1}")
        with atomic_folder(output) as partial:
            ...
        folder.clear()
"""

import hashlib
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from lossgeometry.files.atomic import atomic_folder, clear_write_errors, remove
from lossgeometry.files.locks import DEFAULT_STALE_SECONDS, WriterLock

MANIFEST = "manifest.json"
_STEP = "step-"
_LOCK = "writer.lock"


@dataclass(frozen=True)
class Checkpoint:
    """A complete, verified checkpoint: the number it was saved under and the folder with its files."""

    step: int
    path: Path


class CorruptedCheckpoint(ValueError):
    """A checkpoint that is not what its manifest says."""


def checkpoint_root(results: str | Path, kind: str, identity: str) -> Path:
    """The folder of one job's checkpoints: ``kind`` is the stage (``train``), ``identity`` the run within it."""
    return Path(results) / ".checkpoints" / kind / identity


class CheckpointFolder:
    """The checkpoints of one job, locked for the length of a ``with`` block.

    Args:
        root: from :func:`checkpoint_root`. The lock covers all of it: two digests of one run write the same output.
        digest: of everything the result depends on; a plain name.
        stale_seconds: when the lock of a silent holder expires.

    Raises:
        SecondWriter: at entry and from :meth:`save` and :meth:`clear`, see :class:`lossgeometry.files.locks.WriterLock`.
        CannotWrite: the disk is full or the folder is read-only.
    """

    def __init__(self, root: str | Path, digest: str, stale_seconds: float = DEFAULT_STALE_SECONDS) -> None:
        self.root = Path(root)
        self.digest = digest
        self.path = self.root / digest
        self._lock = WriterLock(self.root / _LOCK, digest, stale_seconds)

    def __enter__(self) -> Self:
        self._lock.__enter__()
        for entry in sorted(self.root.iterdir()):
            if entry.is_dir() and entry != self.path:
                _say(
                    f"Ignored the checkpoints in {entry}: another configuration, code version or input wrote them;"
                    " delete them unless you mean to go back."
                )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.__exit__(kind, error, trace)
        try:
            self.root.rmdir()  # only when nothing is left in it
        except OSError:
            pass

    def latest(self) -> Checkpoint | None:
        """The newest checkpoint whose every byte is as it was written; one printed line for each that is not."""
        for step, path in reversed(self._steps()):
            try:
                verify(path, self.digest)
            except CorruptedCheckpoint as error:
                _say(f"Ignored the checkpoint {path}: {error}.")
                continue
            _say(f"Continuing from the checkpoint {path}.")
            return Checkpoint(step, path)
        return None

    def save(self, step: int, write: Callable[[Path], None]) -> Checkpoint:
        """Save a checkpoint: ``write`` fills the empty folder it is given. The one before it is kept as a spare.

        Args:
            step: not negative and above that of every checkpoint worth keeping: higher ones are removed.
        """
        if step < 0:
            raise ValueError(f"A checkpoint's step must not be negative, got {step}.")
        self._lock.check()
        path = self.path / f"{_STEP}{step:08d}"
        write_verifiable(path, self.digest, write, step=step)
        steps = self._steps()
        spare = max((other for other, _ in steps if other < step), default=None)
        for other, old in steps:
            if other not in (step, spare):
                remove(old)
        return Checkpoint(step, path)

    def clear(self) -> None:
        """Remove this digest's checkpoints; call it once the declared output is in place."""
        self._lock.check()
        with clear_write_errors(self.path):
            remove(self.path)

    def _steps(self) -> list[tuple[int, Path]]:
        if not self.path.is_dir():
            return []
        names = [path for path in self.path.iterdir() if path.name.removeprefix(_STEP).isdigit() and path.is_dir()]
        return sorted((int(path.name.removeprefix(_STEP)), path) for path in names)


def write_verifiable(path: Path, digest: str, write: Callable[[Path], None], **facts: int) -> None:
    """Let ``write`` fill a folder that becomes visible only when complete, with the manifest that :func:`verify` reads."""
    with atomic_folder(path) as partial:
        write(partial)
        manifest = {"digest": digest, "files": _hashes(partial)} | facts
        (partial / MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True))


def verify(path: Path, digest: str) -> None:
    """Compare a checkpoint with its manifest.

    Raises:
        CorruptedCheckpoint: a file is missing, changed or not listed, or the checkpoint is another job's.
    """
    try:
        manifest = json.loads((path / MANIFEST).read_text())
        owner, listed = manifest["digest"], dict(manifest["files"])
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise CorruptedCheckpoint("its manifest is missing or unreadable") from error
    if owner != digest:
        raise CorruptedCheckpoint(f"it belongs to another configuration, code version or input ({str(owner)[:12]})")
    found = _hashes(path)
    for name in sorted(listed.keys() | found.keys()):
        if name not in found:
            raise CorruptedCheckpoint(f"its file {name} is missing")
        if name not in listed:
            raise CorruptedCheckpoint(f"its file {name} is not in the manifest")
        if listed[name] != found[name]:
            raise CorruptedCheckpoint(f"its file {name} was damaged after it was written")


def _hashes(folder: Path) -> dict[str, str]:
    """Relative path to sha256 for every file below ``folder`` except the manifest itself."""
    hashes = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            file = Path(parent, name)
            relative = file.relative_to(folder).as_posix()
            if relative != MANIFEST:
                with file.open("rb") as content:
                    hashes[relative] = hashlib.file_digest(content, "sha256").hexdigest()
    return hashes


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
