"""Model folders: downloaded at a pinned revision, or linked from where they lie."""

import os
from pathlib import Path

from lossgeometry.atomic import atomic_folder
from lossgeometry.job import InputError
from lossgeometry.settings.models import Model

# Weights in safetensors only: other formats can run code when they are read.
WANTED = ("*.json", "*.safetensors", "*.txt", "*.jinja", "*.model")


def provide_model(model: Model, output: Path, inputs: list[Path]) -> None:
    """Make `output` a complete Hugging Face model folder; weights that lie on this file system are linked, not copied.

    Parameters
    ----------
    model
        Where the model comes from: `student` (the folder in `inputs`), `hub` or `folder`.

    Raises
    ------
    InputError
        If the source has no safetensors weights, configuration or tokenizer.
    """
    if model.source == "hub":
        from huggingface_hub import snapshot_download

        with atomic_folder(output) as folder:
            snapshot_download(model.name, revision=model.revision, local_dir=folder, allow_patterns=list(WANTED))
            check_model(folder, model.name)
    else:
        source = inputs[0] if model.source == "student" else Path(model.name)
        check_model(source, str(source))
        with atomic_folder(output) as folder:
            for file in sorted(file for pattern in WANTED for file in source.glob(pattern)):
                target = (
                    os.path.relpath(file.resolve(), output.resolve()) if model.source == "student" else file.resolve()
                )
                (folder / file.name).symlink_to(target)


def check_model(folder: Path, name: str) -> None:
    """Raise InputError unless a folder holds a configuration, a tokenizer and safetensors weights."""
    for pattern, what in (
        ("config.json", "config.json"),
        ("*.safetensors", "safetensors weights"),
        ("tokenizer*", "tokenizer"),
    ):
        if not any(folder.glob(pattern)):
            raise InputError(f"the model {name} has no {what}; name a complete Hugging Face model folder")
