"""JSON Lines that survive what a language model writes and what a kill leaves behind.

Rows are written as pure ASCII, one object per line: lone surrogates, control characters, line separators and
right-to-left marks become escapes, so no editor, terminal or `splitlines` can tear a row apart, and reading gives back
exactly the string that was written.

A row counts once it is complete. A kill can leave a last line without its end; as no proper prefix of a JSON object
is a JSON object, a last line that parses is complete (files made by hand often lack the final newline) and one that
does not is a torn row, which reading skips and the next `append` removes.
"""

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from lossgeometry.files.atomic import atomic_file, clear_write_errors

BLOCK_BYTES = 1 << 16


def encode(row: dict[str, Any]) -> bytes:
    """One row as an ASCII line with its newline. NaN and infinities are refused (ValueError): JSON has none."""
    return (json.dumps(row, ensure_ascii=True, allow_nan=False, separators=(",", ":")) + "\n").encode("ascii")


def read_lines(path: str | Path) -> Iterator[dict[str, Any]]:
    """Rows of a JSONL file, one at a time; blank lines and a torn last row are skipped.

    Raises ValueError with file, line number and cure when any other line is not a JSON object.
    """
    return (row for _, row in read_positions(path))


def read_positions(path: str | Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """As `read_lines`, each row with the byte at which its line starts: where `read_at` finds it again."""
    start = 0
    with open(path, "rb") as file:
        for number, line in enumerate(file, start=1):
            row = _decode(line) if line.strip() else None
            if row is not None:
                yield start, row
            elif line.strip():
                if not line.endswith(b"\n"):
                    return
                raise ValueError(
                    f"{path}, line {number}: not a JSON object; repair or delete this line, or remake the file."
                )
            start += len(line)


def read_at(file: BinaryIO, start: int) -> dict[str, Any]:
    """The row whose line starts at a byte that `read_positions` gave."""
    file.seek(start)
    return json.loads(file.readline().decode("utf-8-sig", errors="surrogatepass"))


def append(path: str | Path, rows: Iterable[dict[str, Any]]) -> int:
    """Add rows at the end, durable on return; first removes a torn last row. Creates the file. Returns rows written.

    One writer at a time. A kill during the call leaves some prefix of `rows`, of which the last may be torn.
    """
    path = Path(path)
    count = 0
    with clear_write_errors(path), open(path, "r+b" if path.exists() else "w+b") as file:
        _mend_tail(file)
        for row in rows:
            file.write(encode(row))
            count += 1
        file.flush()
        os.fsync(file.fileno())
    return count


def write_atomic(path: str | Path, rows: Iterable[dict[str, Any]]) -> int:
    """Write the whole file or nothing. Returns the number of rows written."""
    count = 0
    with atomic_file(path) as partial, open(partial, "wb") as file:
        for row in rows:
            file.write(encode(row))
            count += 1
    return count


def _decode(line: bytes) -> dict[str, Any] | None:
    """The object on a line, or None when there is none (surrogatepass: hand-made files may hold raw surrogates)."""
    try:
        row = json.loads(line.decode("utf-8-sig", errors="surrogatepass"))
    except ValueError:
        return None
    return row if isinstance(row, dict) else None


def _mend_tail(file: BinaryIO) -> None:
    """Leave `file` positioned at the end of its last complete row, with everything after it removed."""
    end = file.seek(0, os.SEEK_END)
    start = end
    tail = b""
    while start > 0 and b"\n" not in tail:
        step = min(BLOCK_BYTES, start)
        start -= step
        file.seek(start)
        tail = file.read(step) + tail
    last = tail[tail.rfind(b"\n") + 1 :]
    file.seek(end)
    if not last:
        return
    if _decode(last) is not None:
        file.write(b"\n")
    else:
        file.truncate(end - len(last))
        file.seek(end - len(last))
