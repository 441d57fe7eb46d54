"""Digests of code: what Snakemake needs to see to re-run exactly the jobs that a change concerns.

Snakemake 9 looks only at the modification time of a rule's own script. A rule here passes the digests of its script and of
every module of this library that the script can reach as a parameter instead, so that a changed module re-runs the jobs that
use it, and a touched file, a comment or a docstring re-runs nothing.
"""

import ast
import hashlib
import importlib.metadata
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from lossgeometry.parsed_code import Parsed, parsed_before
from lossgeometry.provenance import SCRIPTS

WITHOUT_EFFECT = frozenset(
    f"lossgeometry/{name}.py"
    for name in (
        "errors",
        "devices",
        "gpus",
        "script",
        "planned",
        "preloading",
        "code_digests",
        "parsed_code",
        "records",
        "files/atomic",
        "files/locks",
        "files/resuming",
        "files/stopping",
    )
)
"""Modules that decide how a job starts, stops and survives, never what it computes: tests hold that a job which was
killed and continued ends with the same bytes. Every job imports them: a change would otherwise re-run everything. Nor does
the data sheet of devices: the table of runs reads its speed of a GPU there, and no other row changes when one is added."""
DECISIVE = {
    **{name: (name,) for name in ("numpy", "scipy", "pandas", "torch", "tokenizers", "peft", "trl", "accelerate")},
    **{name: (name,) for name in ("datasets", "sympy", "vllm")},
    "transformers": ("tokenizers", "transformers"),
    "gguf": ("gguf",),
    "ml_dtypes": ("ml-dtypes",),
    "math_verify": ("latex2sympy2-extended", "math-verify", "sympy"),
}
"""The packages that decide a number or a verdict where a module imports this name."""
RESOLVED = "lossgeometry/settings/"
"""The configuration's blocks: a job is told the value of every key, so that a changed default reaches it as a parameter."""


@cache
def parse(path: Path) -> Parsed:
    """Return what a Python file of the library is made of; its digest is that of `code_digests`."""
    source = path.read_bytes()
    content = hashlib.sha256(source).hexdigest()
    return parsed_before(path.relative_to(SCRIPTS).as_posix(), content) or _read(path, source, content)


def _read(path: Path, source: bytes, content: str) -> Parsed:
    tree = ast.parse(source, filename=str(path))
    nodes = list(ast.walk(tree))  # once: planning reads every file of the library
    bound = _imports(nodes, path)
    used = {node.id for node in nodes if isinstance(node, ast.Name)}
    exports = {name: origin for _, name, origin in bound}
    if path.name == "__init__.py":  # what a package does not use itself it only hands on
        bound = [(statement, name, origin) for statement, name, origin in bound if name in used]
    imports = tuple(origin for _, _, origin in bound)
    kept = {statement for statement, _, _ in bound}
    tree.body = [
        statement
        for statement in tree.body
        if not _names_exports(statement)
        and (id(statement) in kept or not isinstance(statement, ast.Import | ast.ImportFrom))
    ]
    return Parsed(content, hashlib.sha256(_written(tree).encode()).hexdigest()[:16], imports, exports)


def _imports(nodes: Sequence[ast.AST], path: Path) -> list[tuple[int, str, tuple[str, str]]]:
    """Return (identity of the statement, name that is bound, (module, name there)) of every import that runs."""
    package = path.parent.relative_to(SCRIPTS).parts
    for_types = [node for node in nodes if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    idle = {id(statement) for node in for_types for statement in node.body}
    found = []
    for node in nodes:
        if id(node) in idle:
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                found.append((id(node), alias.asname or alias.name.partition(".")[0], (alias.name, "")))
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            found += [(id(node), alias.asname or alias.name, (module, alias.name)) for alias in node.names]
    return found


def _names_exports(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Assign) and [ast.unparse(target) for target in statement.targets] == ["__all__"]


def _written(node: object) -> str:
    """Return a syntax tree as text: without docstrings and without the wording of what is printed or raised.

    Fields that are empty are left out, and so are empty pieces of an f-string, so that the text is the same in every version of
    Python that knows the syntax: newer ones add fields to old nodes, and 3.12 ends a nested format with an empty piece.
    """
    if isinstance(node, list):
        return f"[{','.join(_written(item) for item in node if not _is_bare_string(item))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    if isinstance(node, ast.JoinedStr):
        node.values = [piece for piece in node.values if not isinstance(piece, ast.Constant) or piece.value != ""]
    if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
        node.exc.args = [_without_wording(argument) for argument in node.exc.args]
    elif isinstance(node, ast.Call) and _is_message(node):
        node.args = [_without_wording(argument) for argument in node.args]
    fields = ((name, getattr(node, name, None)) for name in node._fields)
    written = (f"{name}={_written(value)}" for name, value in fields if value is not None and value != [])
    return f"{type(node).__name__}({','.join(written)})"


def _is_message(call: ast.Call) -> bool:
    """Return whether a call prints for people: a file other than a standard stream may be read by a program."""
    streams = [ast.unparse(keyword.value) for keyword in call.keywords if keyword.arg == "file"]
    return isinstance(call.func, ast.Name) and call.func.id == "print" and set(streams) <= {"sys.stdout", "sys.stderr"}


def _without_wording(argument: ast.expr) -> ast.expr:
    """Return an argument without its text, however it is put together."""
    if isinstance(argument, ast.JoinedStr) or (isinstance(argument, ast.Constant) and isinstance(argument.value, str)):
        return ast.Constant("")
    if isinstance(argument, ast.BinOp):
        sides = _without_wording(argument.left), _without_wording(argument.right)
        wordless = all(isinstance(side, ast.Constant) and side.value == "" for side in sides)
        return ast.Constant("") if wordless else ast.BinOp(sides[0], argument.op, sides[1])
    return argument


def _is_bare_string(node: object) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


@cache
def _file_of(module: str) -> Path | None:
    """Return the file of a dotted module of this library, or None."""
    path = SCRIPTS.joinpath(*module.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def _origin(module: str, name: str) -> Path | None:
    """Return the file that an imported name is from: through packages that only hand it on, to where it is defined."""
    file = _file_of(f"{module}.{name}") if name else None
    if file is not None:
        return file
    file = _file_of(module)
    if file is None or name not in (exports := parse(file).exports):
        return file
    return _origin(*exports[name])


@cache
def installed_version(package: str) -> str:
    """Return the version of a package that is installed here; empty where there is none."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


@cache
def code_digests(*files: str) -> dict[str, str]:
    """Return {path relative to workflow/scripts: digest} of the named files and of all library modules whose names they use, and
    {package: version} of the packages whose arithmetic they use.

    Modules without an effect on what is computed are left out. So is a package whose submodule is imported: it counts where a
    name is taken from it.

    Parameters
    ----------
    files
        Paths relative to ``workflow/scripts``: the rule's script, and modules that it loads by name, such as
        ``lossgeometry/methods/dpo.py``, which no import statement shows.

    Raises
    ------
    FileNotFoundError
        If a named file does not exist.
    """
    pending = [SCRIPTS / file for file in files]
    digests: dict[str, str] = {}
    while pending:
        path = pending.pop()
        name = path.relative_to(SCRIPTS).as_posix()
        if name in digests or name in WITHOUT_EFFECT or name.startswith(RESOLVED):
            continue
        module = parse(path)
        digests[name] = module.digest
        pending += [file for origin in module.imports if (file := _origin(*origin))]
        imported = {origin.partition(".")[0] for origin, _ in module.imports}
        digests |= {package: installed_version(package) for root in imported for package in DECISIVE.get(root, ())}
    return dict(sorted(digests.items()))


def is_package(name: str) -> bool:
    """Return whether a key of `code_digests` names a package, not a file."""
    return not name.endswith(".py")
