"""What identifies a result: digests of files and of values, and the record of a run."""

import hashlib
import importlib.metadata
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent.parent


def digest_of(value: object) -> str:
    """Return a 16-digit digest of a value made of JSON types; the order of a mapping's keys does not matter."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def digest_of_file(path: str | Path) -> str:
    """Return the sha256 of a file's bytes, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of_files(paths: Iterable[str | Path]) -> dict[str, str]:
    """Return {file name: sha256} of several files, and of every file in a named folder."""
    digests = {}
    for path in map(Path, paths):
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and not file.name.startswith("."):
                name = file.relative_to(path.parent) if path.is_dir() else Path(path.name)
                digests[name.as_posix()] = digest_of_file(file)
    return digests


def provenance(cfg: Mapping, code: Mapping[str, str], inputs: Iterable[str | Path], packages: Iterable[str]) -> dict:
    """Return what identifies a result: configuration, code, inputs and package versions, without any clock time."""
    return {
        "config": dict(cfg),
        "config_digest": digest_of(cfg),
        "code_digest": digest_of(code),
        "inputs": digest_of_files(inputs),
        "versions": {package: importlib.metadata.version(package) for package in sorted(packages)},
    }
