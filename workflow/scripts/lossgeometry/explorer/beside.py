"""Two experiments on one page: the findings of another are written into the page of one."""

import json
from pathlib import Path
from typing import Any

from lossgeometry.errors import InputError
from lossgeometry.explorer.page import write_page


def write_both(results: Path, other: Path, output: Path) -> None:
    """Write the page of the experiment in `results` with the findings of another beside its own.

    Raises
    ------
    InputError
        If one of the two has no explorer.json.
    """
    bundle, beside = (_read(folder / "explorer.json") for folder in (results, other))
    write_page({**bundle, "other": {key: beside[key] for key in ("experiment", "findings")}}, output)


def _read(path: Path) -> dict[str, Any]:
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        held = {}
    if not isinstance(held, dict) or not {"experiment", "findings"} <= held.keys():
        raise InputError(
            f"{path} is no explorer.json of a finished experiment; run `make all` first, or name its folder"
        )
    return held
