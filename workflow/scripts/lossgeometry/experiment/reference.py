"""Writes config/schema.json and config/README.md from the configuration's models; a test keeps them in step.

Run as ``make reference`` after a key was added or described anew.
"""

import json
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from lossgeometry.experiment.config import Config
from lossgeometry.experiment.descriptions import add_descriptions
from lossgeometry.methods import method_module
from lossgeometry.provenance import SCRIPTS

FOLDER = SCRIPTS.parent.parent / "config"

INTRODUCTION = """\
# Configuration

One YAML file describes one experiment. `config/config.yaml` is the default; choose another with
`snakemake --configfile config/hard-rollouts.yaml --cores 8 all`. A file that names its `experiment` and what that compares
(`methods` or `adapters`) stands alone: nothing is merged into it from the default, and every key that it leaves out has the default
given below. Any other file lies over the default, key by key, as does what is set on the command line
(`--config experiment=mine 'seeds=[1,2]'`). Of several files, a later one lies over an earlier one.

The configuration is checked before any job starts. This page and `schema.json` are generated from the models in
`workflow/scripts/lossgeometry/settings/` by `make reference`; point your editor at `schema.json` for completion.

## How runs, seeds and sweeps are written

- A key of `methods` is `<method>` or `<method>@<variant>`: `dpo@beta0.05: {learning_rate: 1.0e-4, options: {beta: 0.05}}` trains
  DPO's module with another beta, under a name of its own.
- A run is called `<method>.lr<learning rate>.s<seed>`, such as `sft.lr5e-06.s42`. A user's adapter is `external.<name>`.
- A method runs at its `learning_rate` with each of its seeds, and at each of its further `learning_rates` with its first seed, or
  under `rates_at_all_seeds` with each.
- A seed is a number, or `{init: 42, order: 123}` where the LoRA initialisation and the order of the data are to be told apart;
  the run is then called `….s42-o123`. `{init: 42, order: 42, half: A}` trains on half of the prompts: `….s42-halfA`.
- A snapshot is called `<run>.t<step>`, such as `sft.lr5e-06.s42.t32`.
"""


def describe(model: type[BaseModel], prefix: str = "") -> list[tuple[str, str, str, str]]:
    """Return (key, type, default, description) of every key of a configuration block, nested blocks included."""
    rows = []
    for name, field in model.model_fields.items():
        key = f"{prefix}{field.alias or name}"
        block = _block_of(field.annotation)
        rows.append((key, _type_name(field.annotation), _default(field), " ".join((field.description or "").split())))
        if block is not None:
            container = get_origin(field.annotation)
            inner = f"{key}.<name>." if container is dict else f"{key}[]." if container is tuple else f"{key}."
            rows += describe(block, inner)
    return rows


def _block_of(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((block for part in get_args(annotation) if (block := _block_of(part)) is not None), None)


def _type_name(annotation: Any) -> str:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "block"
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return " or ".join(_type_name(part) for part in arguments if part is not type(None))
    if origin is tuple:
        return "list of " + _type_name(arguments[0])
    if origin is dict:
        return "mapping of " + _type_name(arguments[1])
    if arguments:
        return ", ".join(f"`{value}`" for value in arguments)
    return {"str": "text", "int": "integer", "float": "number", "bool": "true or false", "Any": "any"}.get(
        getattr(annotation, "__name__", "any"), "any"
    )


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "required"
    default = field.default
    if isinstance(default, BaseModel):
        return "see below"
    if isinstance(default, tuple):
        default = list(default)
    return f"`{json.dumps(default)}`"


def _table(rows: list[tuple[str, str, str, str]]) -> str:
    cells = [(f"`{key}`", kind, default, text.replace("|", "\\|")) for key, kind, default, text in rows]
    lines = ["| key | type | default | meaning |", "|---|---|---|---|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in cells])


def reference() -> str:
    """Return the text of config/README.md."""
    modules = [method_module(path.stem) for path in sorted((SCRIPTS / "lossgeometry" / "methods").glob("[a-z]*.py"))]
    add_descriptions()
    parts = [INTRODUCTION, "## Keys\n", _table(describe(Config)), "\n## Options of the methods\n"]
    for module in modules:
        rows = describe(module.Options)
        parts.append(f"### {module.__name__.rpartition('.')[2]}: {module.TITLE} ({module.CITATION})\n")
        parts.append(f"{module.OBJECTIVE}\n")
        parts.append(_table(rows) + "\n" if rows else "No options.\n")
    return "\n".join(parts)


def schema() -> str:
    """Return the text of config/schema.json."""
    add_descriptions()
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return json.dumps(dialect | Config.model_json_schema(), indent=2) + "\n"


def write(folder: Path = FOLDER) -> None:
    """Write both files."""
    (folder / "README.md").write_text(reference(), encoding="utf-8")
    (folder / "schema.json").write_text(schema(), encoding="utf-8")


if __name__ == "__main__":
    write()
