"""A lock against a second writer that survives kills, other hosts and clocks that disagree.

Killing the Snakemake controller leaves cluster jobs running, and a restart submits the same job again. The holder keeps
touching its lock file; a lock without a sign of life expires, so a killed job never needs a hand to clean up after it.
"""

import json
import os
import socket
import threading
import uuid
from pathlib import Path
from types import TracebackType
from typing import Self

from lossgeometry.errors import SecondWriter
from lossgeometry.files.atomic import clear_write_errors

DEFAULT_STALE_SECONDS = 120.0


class WriterLock:
    """Hold ``path`` as a lock for the length of a ``with`` block.

    Args:
        path: the lock file; its folder is created.
        label: what the holder works on (a provenance digest), kept in the lock file for the reader.
        stale_seconds: a lock that was not touched for so long has expired. The holder touches it four times as often.

    Raises:
        SecondWriter: at entry, when another living process holds it; from :meth:`check`, when it was taken over.
        CannotWrite: the folder cannot be written.
    """

    def __init__(self, path: Path, label: str, stale_seconds: float = DEFAULT_STALE_SECONDS) -> None:
        self.path = path
        self.stale_seconds = stale_seconds
        self._token = uuid.uuid4().hex
        self._content = {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "digest": label,
            "machine": _machine(),
            "token": self._token,
        }
        self._done = threading.Event()
        self._heartbeat = threading.Thread(target=self._beat, name="lock heartbeat", daemon=True)

    def __enter__(self) -> Self:
        with clear_write_errors(self.path):
            while not self._create():
                self._evict_or_refuse()
        self._heartbeat.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._heartbeat.join()
        if _read(self.path).get("token") == self._token:
            self.path.unlink(missing_ok=True)

    def check(self) -> None:
        """Raise :class:`SecondWriter` when the lock is no longer ours, as after a suspension longer than it lives."""
        if _read(self.path).get("token") != self._token:
            raise SecondWriter(
                f"Lost the lock {self.path}: this process gave no sign of life for {self.stale_seconds:g} s and another"
                " one took over, so this one stops without writing."
            )

    def _create(self) -> bool:
        # O_EXCL is atomic on local disks and on NFS since version 3.
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        except FileExistsError:
            return False
        except FileNotFoundError:
            return False  # the previous holder removed the empty folder between our two calls
        try:
            with os.fdopen(descriptor, "w") as file:
                json.dump(self._content, file, sort_keys=True)
        except OSError:
            self.path.unlink()  # a full disk: an empty lock would keep everybody out until it expires
            raise
        return True

    def _evict_or_refuse(self) -> None:
        holder = _read(self.path)
        age = self._age()
        if age is None:
            return  # released meanwhile
        if not (age > self.stale_seconds or _is_dead(holder)):
            raise SecondWriter(
                f"Process {holder.get('pid', '?')} on {holder.get('host', '?')} is already writing in"
                f" {self.path.parent} (last sign of life {max(age, 0):.0f} s ago): let it finish or cancel it; without"
                f" a sign of life its lock expires after {self.stale_seconds:g} s."
            )
        self._evict(holder)

    def _evict(self, judged: dict[str, object]) -> None:
        """Take the judged lock away; when someone else replaced it since it was judged, put theirs back."""
        aside = self.path.with_name(f"{self.path.name}.{self._token}")
        try:
            os.rename(self.path, aside)
        except FileNotFoundError:
            return
        if _read(aside).get("token") != judged.get("token"):
            try:
                os.link(aside, self.path)
            except FileExistsError:
                pass  # a third process was quicker; the second one notices in check()
        aside.unlink()

    def _age(self) -> float | None:
        """Seconds since the holder touched the lock, by the clock of the file system: clocks of hosts differ."""
        probe = self.path.with_name(f"{self.path.name}.probe.{self._token}")
        try:
            probe.touch()
            return probe.stat().st_mtime - self.path.stat().st_mtime
        except FileNotFoundError:
            return None
        finally:
            probe.unlink(missing_ok=True)

    def _beat(self) -> None:
        while not self._done.wait(self.stale_seconds / 4):
            # Never touch a lock that another process took over: that would keep two writers alive.
            if _read(self.path).get("token") != self._token:
                return
            try:
                os.utime(self.path)
            except OSError:
                continue  # a hiccup of a network disk; check() decides before anything is written


def _read(path: Path) -> dict[str, object]:
    """The lock's content; empty when it is absent or its writer died before the first byte."""
    try:
        content = json.loads(path.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return content if isinstance(content, dict) else {}


def _is_dead(holder: dict[str, object]) -> bool:
    """Whether the holder ran on this very machine and is gone."""
    pid = holder.get("pid")
    if holder.get("machine") != _machine() or not isinstance(pid, int):
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False  # alive, of another user
    return False


def _machine() -> str:
    """What must be equal for two process ids to be comparable: host, boot and process-id namespace (containers)."""
    parts = [socket.gethostname()]
    boot, namespace = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
    if boot.exists() and namespace.exists():
        parts += [boot.read_text().strip(), os.readlink(namespace)]
    return " ".join(parts)
