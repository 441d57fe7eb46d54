"""Adapters from the Hugging Face hub."""

import shutil
import tempfile
from pathlib import Path

from lossgeometry.errors import InputError
from lossgeometry.files.atomic import atomic_folder
from lossgeometry.updates.folders import CONFIG_FILE, HUB_ID, WEIGHTS_FILE, require_source


def fetch_adapter(source: str, folder: Path) -> None:
    """Download an adapter's weights and configuration, and nothing else, into a folder.

    Parameters
    ----------
    source
        `owner/name`, or `owner/name@revision` to pin it.

    Raises
    ------
    InputError
        If it is neither a folder nor a hub id, or the hub does not have it as safetensors.
    """
    require_source(source)
    match = HUB_ID.fullmatch(source)
    if match is None:
        raise InputError(f"{source} is a file; name a folder, or a hub id (owner/name@revision)")
    import httpx
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import FileMetadataError, HFValidationError, LocalEntryNotFoundError

    with tempfile.TemporaryDirectory() as cache, atomic_folder(folder) as partial:
        for name in (CONFIG_FILE, WEIGHTS_FILE):
            try:
                path = hf_hub_download(match["repository"], name, revision=match["revision"], cache_dir=cache)
            except (httpx.HTTPError, FileMetadataError, HFValidationError, LocalEntryNotFoundError) as error:
                raise InputError(
                    f"the hub gave no {name} for {source} ({type(error).__name__}); check the id, the "
                    "revision, your access and the network, or download the folder and name its path"
                ) from error
            shutil.copyfile(path, partial / name)
