"""Model folders: downloaded at a pinned revision, or linked from where they lie."""

import math
import os
from pathlib import Path

from lossgeometry.errors import InputError
from lossgeometry.files.atomic import atomic_folder
from lossgeometry.files.tensor_header import read_header, shards_of
from lossgeometry.provenance import digest_of_file
from lossgeometry.settings.models import Model
from lossgeometry.students.files import WANTED, model_files


def provide_model(model: Model, output: Path, student: Path | None) -> None:
    """Make `output` a complete Hugging Face model folder; weights that lie on this file system are linked, not copied.

    Parameters
    ----------
    model
        Where the model comes from: `student`, `hub` or `folder`.
    student
        Folder of the student, which a teacher may be.

    Raises
    ------
    InputError
        If the source has no safetensors weights, configuration or tokenizer, or a file of it is damaged, or the hub cannot
        be asked.
    """
    if model.source == "hub":
        with atomic_folder(output) as folder:
            _download(model, folder)
            check_model(folder, model.name)
    else:
        source = student if student else Path(model.name)
        check_model(source, str(source))
        with atomic_folder(output) as folder:
            for file in model_files(source):
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
    weights = sorted(folder.glob("*.safetensors"))
    for index in folder.glob("*.safetensors.index.json"):
        missing = set(shards_of(index).values()) - {file.name for file in weights}
        if missing:
            raise InputError(f"the model {name} lacks {sorted(missing)[0]}, which {index.name} lists; fetch it again")
    parameters = sum(map(count_parameters, weights))
    print(f"{name}: {len(weights)} files of weights, {parameters:,} parameters")


def count_parameters(file: Path) -> int:
    """Return the number of parameters in a safetensors file, from its header alone.

    Raises
    ------
    InputError
        If the file is not whole.
    """
    return sum(math.prod(entry.shape) for entry in read_header(file).entries.values())


def _download(model: Model, folder: Path) -> None:
    """Download a model's files at its revision and compare the large ones with the digests that the hub keeps of them."""
    import httpx
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import GatedRepoError

    try:
        files = HfApi().model_info(model.name, revision=model.revision, files_metadata=True).siblings or []
        snapshot_download(model.name, revision=model.revision, local_dir=folder, allow_patterns=list(WANTED))
    except GatedRepoError:
        raise InputError(
            f"the model {model.name} is gated; accept its licence on the hub, then run `hf auth login` as the same user"
        ) from None
    except (httpx.HTTPError, OSError) as error:
        raise InputError(
            f"cannot fetch {model.name} at {model.revision[:12]} ({type(error).__name__}); check name and revision, and that "
            "this machine reaches the hub, or download the folder elsewhere and use source: folder"
        ) from error
    for file in files:
        path = folder / file.rfilename
        if file.lfs and path.is_file() and digest_of_file(path) != file.lfs.sha256:
            raise InputError(f"{file.rfilename} of {model.name} was damaged on its way; run the job again")
