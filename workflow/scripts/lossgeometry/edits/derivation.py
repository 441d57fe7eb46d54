"""What the job of an edit does: the adapter, and the record of what it was made from."""

import json
from collections.abc import Mapping
from pathlib import Path

from lossgeometry.files.atomic import atomic_file
from lossgeometry.provenance import digest_of_file
from lossgeometry.settings.edits import Edit
from lossgeometry.updates.editing import edited
from lossgeometry.updates.loading import load

RECORD = "edit.json"


def derive(
    edit: Edit, sources: Mapping[str, str | Path], runs: Mapping[str, str], folder: Path, factor: float | None = None
) -> None:
    """Write the adapter of an edit, as PEFT loads it, and `edit.json`.

    Parameters
    ----------
    sources
        The weights of every update in `edit.sources`.
    runs
        Their run ids.
    factor
        What `to_kl` was found to be a multiplication by; recorded.
    """
    exact = edit if factor is None else Edit(of=edit.of, scale=factor)
    update = edited(exact, {name: load(path) for name, path in sources.items()})
    update.to_peft(folder)
    record = {
        "edit": edit.told(),
        "operation": edit.words(),
        "sources": {runs[name]: digest_of_file(path) for name, path in sources.items()},
        "left_out": dict(update.left_out),
    } | ({} if factor is None else {"factor": factor})
    with atomic_file(folder / RECORD) as partial:
        partial.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
