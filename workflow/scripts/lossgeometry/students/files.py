"""The files of a model folder, and their manifest. Read while jobs are planned, so without numpy."""

import json
from pathlib import Path

from lossgeometry.files.atomic import atomic_file
from lossgeometry.provenance import digest_of_files

# Weights in safetensors only: other formats can run code when they are read.
WANTED = ("*.json", "*.safetensors", "*.txt", "*.jinja", "*.model")


def model_files(folder: str | Path) -> list[Path]:
    """Return the files of a model folder that a model is made of, in the order of their names."""
    return sorted(file for pattern in WANTED for file in Path(folder).glob(pattern))


def write_manifest(folder: Path, output: Path) -> None:
    """Write {path from the folder's parent: sha256} of a model folder: what a job depends on that reads the model."""
    with atomic_file(output) as path:
        path.write_text(json.dumps(digest_of_files([folder]), indent=2, sort_keys=True) + "\n", encoding="utf-8")
