"""The files on this machine that a model is made of. Read while jobs are planned."""

from pathlib import Path

from lossgeometry.errors import ConfigError
from lossgeometry.settings.models import Model
from lossgeometry.students.files import model_files


def require_file(model: Model) -> None:
    """Raise ConfigError where a student is to be a GGUF file that is not there."""
    if model.source == "gguf" and not Path(model.name).is_file():
        raise ConfigError(f"student.name: there is no file {model.name}; name a GGUF file")


def source_files(model: Model) -> list[Path]:
    """Return the files of a model that lies on this machine; none for any other."""
    if model.source == "gguf":
        return [Path(model.name)]
    return model_files(model.name) if model.source == "folder" else []
