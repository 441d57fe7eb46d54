"""An edit of updates that are named on the command line: the same operations as under `edits:` in a configuration."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import ValidationError

from lossgeometry.command.sources import local_path, named_sources, require_base, what_is_left_out
from lossgeometry.edits.derivation import RECORD
from lossgeometry.errors import InputError
from lossgeometry.experiment.checks import sentence
from lossgeometry.files.atomic import atomic_file
from lossgeometry.provenance import digest_of_files
from lossgeometry.settings.edits import Edit
from lossgeometry.updates.editing import edited
from lossgeometry.updates.loading import load

NAMED = ("to_norm_of", "project", "reject", "rest")
PLAIN = ("scale", "truncate", "layers", "projections", "randomise")


def write_edit(options: Mapping[str, Any]) -> Iterator[str]:
    """Write the adapter of an edit with `edit.json` beside it, and yield what it kept of its source.

    Raises
    ------
    InputError
        If there is not exactly one operation, a source cannot be read, the updates are not of one base model, or the folder
        exists.
    """
    given = [options["source"], *(options[key] for key in (*NAMED, "add") if options[key])]
    sources = named_sources(list(dict.fromkeys(given)))
    edit, out = _edit(options, {path: name for name, path in sources.items()}), options["out"]
    if out.exists():
        raise InputError(f"{out} exists; name a new folder as --out")
    require_base(options["base"])
    with TemporaryDirectory() as scratch:
        paths = {name: local_path(sources[name], Path(scratch) / name) for name in edit.sources}
        updates = {name: load(path, options["base"], options["rank"]) for name, path in paths.items()}
        update, source = edited(edit, updates), updates[edit.sources[0]]
        update.to_peft(out)
        record = {
            "edit": edit.told(),
            "operation": edit.words(),
            "sources": {name: digest_of_files([path]) for name, path in paths.items()},
            "left_out": dict(update.left_out),
        }
        with atomic_file(out / RECORD) as partial:
            partial.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        share = f"{update.norm / source.norm:.4g} of {edit.sources[0]}'s" if source.norm else "of nothing"
        yield f"{out}: norm {update.norm:.6g}, {share}; cosine to it {update.cosine(source):.4f}"
        yield from what_is_left_out(update)


def _edit(options: Mapping[str, Any], names: Mapping[str, str]) -> Edit:
    values = {key: options[key] for key in PLAIN if options[key] is not None}
    values |= {key: names[options[key]] for key in NAMED if options[key]}
    if "layers" in values:
        values["layers"] = [int(layer) if layer.isdigit() else layer for layer in values["layers"]]
    if options["add"] is None:
        values["of"] = names[options["source"]]
    else:
        values["sum"] = {names[options["source"]]: 1.0, names[options["add"]]: 1.0}
    try:
        return Edit(**values)
    except ValidationError as error:
        raise InputError(sentence(error, Edit.model_fields)) from None
