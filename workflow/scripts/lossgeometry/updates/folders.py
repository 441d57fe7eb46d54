"""What somebody names: a folder with a PEFT adapter or a whole model, or a hub id. Read while jobs are planned: no numpy here."""

import difflib
import json
import re
from collections.abc import Mapping
from pathlib import Path

from lossgeometry.errors import ConfigError, InputError

CONFIG_FILE, WEIGHTS_FILE = "adapter_config.json", "adapter_model.safetensors"
MODEL_FILE, INDEX_FILE = "model.safetensors", "model.safetensors.index.json"
CHECKPOINT = re.compile(r"checkpoint-(\d+)")
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


def checkpoints_in(folder: str | Path) -> dict[int, Path]:
    """Return the checkpoints in the folder of a training run, `checkpoint-<step>`, by their steps and in order.

    Raises
    ------
    InputError
        If there are fewer than two, or they are not of one base and one set of modules.
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; name the one that a training run wrote its checkpoints to")
    found = {int(match[1]): entry for entry in folder.iterdir() if (match := CHECKPOINT.fullmatch(entry.name))}
    if len(found) < 2:
        raise InputError(f"{folder} holds {len(found)} folders named checkpoint-N; a path takes two or more")
    ordered = {step: found[step] for step in sorted(found)}
    first, *others = ordered.values()
    for other in others:
        for (what, one), (_, two) in zip(_trained_on(first), _trained_on(other), strict=True):
            if one != two:
                raise InputError(
                    f"{folder}: {first.name} has the {what} {one} and {other.name} has {two}; a path takes checkpoints of one run"
                )
    return ordered


def _trained_on(folder: Path) -> list[tuple[str, str]]:
    """Return what all checkpoints of one run have in common, with its name."""
    config = _configured(folder)
    if not config:
        return [("base", "none"), ("target modules", "none")]
    targets = config.get("target_modules")
    targets = ", ".join(sorted(map(str, targets))) if isinstance(targets, list) else str(targets)
    return [("base", str(config.get("base_model_name_or_path"))), ("target modules", targets)]


def require_folders(adapters: Mapping[str, str]) -> None:
    """Raise ConfigError for the first of the configured adapters, by name, that is a file."""
    for name, source in adapters.items():
        if Path(source).is_file():
            raise ConfigError(f"adapters.{name}: {source} is a file; name the folder that holds it")


def needs_base(folder: str | Path) -> bool:
    """Return whether the update in a folder can be read only beside the base: a whole model, or DoRA."""
    return is_checkpoint(folder) or bool(_configured(folder).get("use_dora"))


def saves_modules(folder: str | Path) -> bool:
    """Return whether an adapter says that it trained whole modules beside its factors: their update is a difference to the base."""
    return bool(_configured(folder).get("modules_to_save"))


def _configured(folder: str | Path) -> dict:
    """Return the configuration of an adapter; an empty one where there is none, as the reader says what is wrong with it."""
    try:
        config = json.loads((Path(folder) / CONFIG_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return config if isinstance(config, dict) else {}


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
