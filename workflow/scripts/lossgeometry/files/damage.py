"""Whether a result file is whole, told from its last bytes: what a crash of the machine or a full disk leaves behind.

The workflow's own writers leave whole files only, so a damaged one came about outside. Reading it would end in a library's
traceback at best, and at worst in a result from fewer rows: every job looks at its inputs before it starts.
"""

import json
import zipfile
from collections.abc import Iterable
from pathlib import Path

from lossgeometry.errors import DamagedInput
from lossgeometry.files.tensor_header import CutShort, read_header

PARQUET = b"PAR1"


def require_whole(paths: Iterable[str | Path]) -> None:
    """Look at every Parquet, safetensors, JSON Lines and ZIP file among `paths`, and in the folders among them.

    Raises
    ------
    DamagedInput
        For the first file that is not whole.
    InputError
        For a safetensors file that is whole and contradicts itself.
    """
    for path in map(Path, paths):
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            whole = _CHECKS.get(file.suffix)
            if whole and file.is_file() and not whole(file):
                raise DamagedInput(f"{file} is damaged: it ends too early; delete it and run snakemake again for it")


def _parquet(file: Path) -> bool:
    with file.open("rb") as content:
        start = content.read(4)
        content.seek(-min(4, file.stat().st_size), 2)
        return start == PARQUET == content.read(4) and file.stat().st_size >= 12


def _safetensors(file: Path) -> bool:
    try:
        read_header(file)
    except CutShort:
        return False
    return True


def _json_lines(file: Path) -> bool:
    """Whether the last line ends, or is a JSON value without its newline, as in files made by hand."""
    tail = b""
    with file.open("rb") as content:
        position = content.seek(0, 2)
        while position and b"\n" not in tail:
            step = min(1 << 16, position)
            position = content.seek(position - step)
            tail = content.read(step) + tail
    last = tail.rpartition(b"\n")[2]
    if not last.strip():
        return True
    try:
        json.loads(last.decode("utf-8-sig", errors="surrogatepass"))
    except ValueError:
        return False
    return True


_CHECKS = {".parquet": _parquet, ".safetensors": _safetensors, ".jsonl": _json_lines, ".zip": zipfile.is_zipfile}
