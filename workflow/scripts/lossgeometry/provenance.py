"""Digests of code and of configuration: what Snakemake needs to see to re-run exactly the jobs that a change concerns.

Snakemake 9 looks only at the modification time of a rule's own script. A rule here passes the digests of its script and of
every module of this library that the script can reach as a parameter instead, so that a changed module re-runs the jobs that
use it, and a touched file, a comment or a docstring re-runs nothing.
"""

import ast
import hashlib
import importlib.metadata
import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent.parent

WITHOUT_EFFECT = frozenset(
    f"lossgeometry/{name}.py"
    for name in ("errors", "script", "files/atomic", "files/locks", "files/resuming", "files/stopping")
)
"""Modules that decide how a job starts, stops and survives, never what it computes: tests hold that a job which was
killed and continued ends with the same bytes. Every job imports them: a change would otherwise re-run everything."""


class _WithoutDocstrings(ast.NodeTransformer):
    """Blank the docstrings of modules, classes and functions, and the docstrings of class attributes."""

    def visit(self, node: ast.AST) -> ast.AST:
        body = getattr(node, "body", None)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and body:
            node.body = [statement for statement in body if not _is_bare_string(statement)] or [ast.Pass()]
        return self.generic_visit(node)


def _is_bare_string(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


@cache
def _parse(path: Path) -> tuple[str, frozenset[Path]]:
    """Return the digest of one Python file and the files of this library that it imports, directly."""
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    imported: set[Path] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                imported |= _files_of(alias.name)
        elif isinstance(node, ast.ImportFrom):
            package = path.parent.relative_to(SCRIPTS).parts
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            imported |= _files_of(module)
            for alias in node.names:
                imported |= _files_of(f"{module}.{alias.name}")
    digest = hashlib.sha256(ast.dump(_WithoutDocstrings().visit(tree)).encode()).hexdigest()[:16]
    return digest, frozenset(imported)


def _files_of(module: str) -> set[Path]:
    """Return the file of a dotted module of this library and those of the packages above it; empty for other modules."""
    parts = module.split(".")
    files = {SCRIPTS.joinpath(*parts[:depth], "__init__.py") for depth in range(1, len(parts) + 1)}
    files.add(SCRIPTS.joinpath(*parts).with_suffix(".py"))
    return {file for file in files if file.is_file()}


@cache
def code_digests(*modules: str) -> dict[str, str]:
    """Return {path relative to workflow/scripts: digest} of the named files and of all library modules they reach.

    Modules in `WITHOUT_EFFECT` are left out.

    Parameters
    ----------
    modules
        Paths relative to ``workflow/scripts``: the rule's script, and modules that it loads by name, such as
        ``lossgeometry/methods/dpo.py``, which no import statement shows.

    Raises
    ------
    FileNotFoundError
        If a named file does not exist.
    """
    pending = [SCRIPTS / module for module in modules]
    digests: dict[str, str] = {}
    while pending:
        path = pending.pop()
        name = path.relative_to(SCRIPTS).as_posix()
        if name not in digests and name not in WITHOUT_EFFECT:
            digests[name], imported = _parse(path)
            pending.extend(imported)
    return dict(sorted(digests.items()))


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
