"""What was read from the library's files, kept by contents: neither a plan nor the start of a job parses all of them again."""

import json
import os
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

from lossgeometry.files.atomic import clear_write_errors
from lossgeometry.provenance import digest_of_file

FILE = Path(".snakemake/lossgeometry/parsed_code.json")
"""Below the folder that Snakemake works in. It may be deleted at any time."""
Origin = tuple[str, str]


class Parsed(NamedTuple):
    """What one Python file is made of, and what it takes from this library."""

    content: str
    """sha256 of its bytes."""
    digest: str
    imports: tuple[Origin, ...]
    """(module, name) of every import whose name the file uses; an empty name stands for the module itself."""
    exports: Mapping[str, Origin]
    """The same of every import, by the name that it is bound to here."""


@cache
def _reader() -> str:
    """Return what decides how a file is read: the code that does it, and the version of Python."""
    return f"{digest_of_file(Path(__file__).with_name('code_digests.py'))} {sys.version_info[:2]}"


@cache
def _kept() -> dict[str, Parsed]:
    try:
        kept = json.loads(FILE.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    if kept["reader"] != _reader():
        return {}
    return {
        name: Parsed(
            content,
            digest,
            tuple((module, bound) for module, bound in imports),
            {bound: (module, taken) for bound, (module, taken) in exports.items()},
        )
        for name, (content, digest, imports, exports) in kept["files"].items()
    }


def parsed_before(name: str, content: str) -> Parsed | None:
    """Return what was read from a file, by its path and the sha256 of its bytes; None where it is new or has changed."""
    parsed = _kept().get(name)
    return parsed if parsed is not None and parsed.content == content else None


def keep(files: Mapping[str, Parsed]) -> None:
    """Keep what was read for other processes, where it is not what is kept already."""
    if files != _kept():
        with clear_write_errors(FILE):
            FILE.parent.mkdir(parents=True, exist_ok=True)
            partial = FILE.with_name(f".{os.getpid()}.partial")  # plans may be made side by side
            partial.write_text(json.dumps({"reader": _reader(), "files": files}), encoding="utf-8")
            os.replace(partial, FILE)
