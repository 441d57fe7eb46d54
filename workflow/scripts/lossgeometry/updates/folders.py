"""What somebody names: a folder with a PEFT adapter or a whole model, or a hub id. Read while jobs are planned: no numpy here."""

import difflib
import json
import re
from collections.abc import Mapping
from pathlib import Path

from lossgeometry.errors import ConfigError, InputError

CONFIG_FILE, WEIGHTS_FILE = "adapter_config.json", "adapter_model.safetensors"
MODEL_FILE, INDEX_FILE = "model.safetensors", "model.safetensors.index.json"
HUB_ID = re.compile(r"(?P<repository>[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+)(@(?P<revision>[A-Za-z0-9_./-]+))?")


def require_source(source: str) -> None:
    """Raise InputError unless a path exists, or may be the id of an adapter on the hub rather than a path with a typo."""
    path = Path(source).expanduser()
    if path.exists():
        return
    if not HUB_ID.fullmatch(source):
        raise InputError(f"{source} is neither an existing folder nor a hub id (owner/name@revision); correct it")
    if "@" not in source and path.parent.is_dir():
        alike = difflib.get_close_matches(path.name, sorted(found.name for found in path.parent.iterdir()), 1)
        meant = f"did you mean {path.parent / alike[0]}" if alike else f"{path.parent} has nothing of that name"
        raise InputError(
            f"{source} does not exist ({meant}); correct it, or write {source}@main for an adapter of the hub"
        )


def require_folders(adapters: Mapping[str, str]) -> None:
    """Raise ConfigError for the first of the configured adapters, by name, that is a file."""
    for name, source in adapters.items():
        if Path(source).is_file():
            raise ConfigError(f"adapters.{name}: {source} is a file; name the folder that holds it")


def needs_base(folder: str | Path) -> bool:
    """Return whether the update in a folder can be read only beside the base: a whole model, or DoRA."""
    if is_checkpoint(folder):
        return True
    try:
        config = json.loads((Path(folder) / CONFIG_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False  # the job that reads the folder says what is wrong with it
    return isinstance(config, dict) and bool(config.get("use_dora"))


def is_checkpoint(folder: str | Path) -> bool:
    """Return whether a folder holds a whole model and no adapter."""
    folder = Path(folder)
    whole = any((folder / name).is_file() for name in (MODEL_FILE, INDEX_FILE))
    return whole and not (folder / CONFIG_FILE).is_file()


def update_files(folder: str | Path) -> list[Path]:
    """Return the files that an update is read from: an adapter's two, or a model's weights with their index."""
    folder = Path(folder)
    if not is_checkpoint(folder):
        return [folder / WEIGHTS_FILE, folder / CONFIG_FILE]
    return sorted([*folder.glob("model*.safetensors"), *folder.glob(INDEX_FILE)])
