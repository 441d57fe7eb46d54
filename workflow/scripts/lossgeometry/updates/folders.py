"""What lies in a folder that somebody names: a PEFT adapter or a whole model. Read while jobs are planned, so without numpy."""

from pathlib import Path

CONFIG_FILE, WEIGHTS_FILE = "adapter_config.json", "adapter_model.safetensors"
MODEL_FILE, INDEX_FILE = "model.safetensors", "model.safetensors.index.json"


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
