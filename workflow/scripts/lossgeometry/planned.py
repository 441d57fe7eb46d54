"""What was planned: the resolved configuration and the digests of all code, handed from Snakemake's main process to its jobs.

A job on a cluster reads the workflow again when it starts, hours after it was planned, and Snakemake records it under the plan's
parameters. So the plan travels with the job, in an environment variable: an edited configuration changes nothing under way,
and code that was edited since is refused.
"""

import base64
import json
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lossgeometry.code_digests import DECISIVE, installed_version, is_package, parse
from lossgeometry.errors import ChangedCode
from lossgeometry.parsed_code import keep
from lossgeometry.provenance import SCRIPTS, digest_of_file

VARIABLE = "LOSSGEOMETRY_PLAN"
PLANNING = tuple(f"lossgeometry/{name}" for name in ("jobs/", "experiment/", "settings/", "code_digests.py"))
"""What decides which jobs there are, and what they are told."""


def variable_of(module: str | None) -> str:
    """Return the environment variable that hands on the plan of this workflow, or of it as a module of another."""
    return f"{VARIABLE}_{module}" if module else VARIABLE


def search_first(folder: str) -> None:
    """Let every job find its modules in a folder before all others: Snakemake itself only appends the folder of a script."""
    known = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if known[0] != folder:
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (folder, *known)))


def freeze(config: Mapping[str, Any]) -> str:
    """Return the plan as one line of text.

    Parameters
    ----------
    config
        The resolved configuration, as built-in types.
    """
    keep({file.relative_to(SCRIPTS).as_posix(): parse(file) for file in _files()})
    plan = {"config": dict(config), "code": _code(), "rules": _rules()}
    return base64.b64encode(zlib.compress(json.dumps(plan).encode(), 9)).decode("ascii")


def thaw(text: str) -> dict[str, Any]:
    """Return the plan of `freeze`: ``config``, ``code`` and ``rules``.

    Raises
    ------
    ChangedCode
        If a file that plans jobs is not what it was: what a job is told could differ from what is recorded.
    """
    plan = json.loads(zlib.decompress(base64.b64decode(text)))
    planning = {name: digest for name, digest in plan["code"].items() if name.startswith(PLANNING)}
    _require_same(plan["rules"], _rules())
    _require_same(planning, {name: _digest_now(name) for name in planning})
    return plan


def _files() -> list[Path]:
    return sorted([*SCRIPTS.glob("*.py"), *SCRIPTS.glob("lossgeometry/**/*.py")])


def _code() -> dict[str, str]:
    packages = {name: installed_version(name) for names in DECISIVE.values() for name in names}
    return packages | {file.relative_to(SCRIPTS).as_posix(): parse(file).digest for file in _files()}


def _rules() -> dict[str, str]:
    project = SCRIPTS.parents[1]
    files = [project / "Snakefile", *sorted((project / "workflow" / "rules").glob("*.smk"))]
    return {file.relative_to(project).as_posix(): digest_of_file(file) for file in files if file.is_file()}


def _digest_now(name: str) -> str:
    if is_package(name):
        return installed_version(name)
    file = SCRIPTS / name
    return parse(file).digest if file.is_file() else ""


def require_planned_code(code: Mapping[str, str]) -> None:
    """Refuse to start a job whose code is not what it was when the job was planned.

    Parameters
    ----------
    code
        {path relative to workflow/scripts: digest}, and {package: version}, the job's parameter of that name.

    Raises
    ------
    ChangedCode
        Naming the first file or package that changed.
    """
    _require_same(code, {name: _digest_now(name) for name in code})


def _require_same(planned: Mapping[str, str], now: Mapping[str, str]) -> None:
    changed = sorted(name for name in planned.keys() | now.keys() if planned.get(name) != now.get(name))
    if changed:
        more = f" and {len(changed) - 1} more files" if len(changed) > 1 else ""
        raise ChangedCode(
            f"{changed[0]}{more} changed after this job was planned; run snakemake again, which plans anew"
        )
