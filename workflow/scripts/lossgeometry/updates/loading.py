"""One way in for every form that an update is stored in."""

from pathlib import Path

from lossgeometry.errors import InputError
from lossgeometry.updates.folders import CONFIG_FILE, WEIGHTS_FILE, is_checkpoint
from lossgeometry.updates.full import read_fine_tunes
from lossgeometry.updates.peft import Adapter
from lossgeometry.updates.stored import Delta
from lossgeometry.updates.update import Update

RANK = 64
"""Rank that is kept of a full fine-tune's difference."""
PICKLE_FILE = "adapter_model.bin"


def load(path: str | Path, base: str | Path | None = None, rank: int = RANK) -> Update:
    """Return the update in a PEFT folder, a folder with a full fine-tune, or a delta file.

    Parameters
    ----------
    base
        Folder of the base model: what a full fine-tune or DoRA is measured from, and modules that an adapter trained whole.
    rank
        Largest rank that is kept of those; `left_out` says what that costs.

    Raises
    ------
    InputError
        If there is no such file or folder, or it holds no update that can be read.
    """
    path = Path(path).expanduser()
    if path.name == WEIGHTS_FILE:
        path = path.parent
    if path.is_file():
        return Delta(path)
    if is_checkpoint(path):
        if base is None:
            raise InputError(f"{path} holds a whole model; name the folder of the model that it was tuned from as base")
        return read_fine_tunes(base, [path], rank)[0]
    if not path.is_dir():
        raise InputError(f"{path} does not exist; name the folder of an adapter or of a model, or a delta file")
    if not any((path / name).is_file() for name in (CONFIG_FILE, WEIGHTS_FILE)):
        raise InputError(f"{path} holds neither {CONFIG_FILE} nor model.safetensors; name the folder that does")
    if not (path / WEIGHTS_FILE).is_file() and (path / PICKLE_FILE).is_file():
        raise InputError(
            f"{path} holds its weights as {PICKLE_FILE}, a pickle, which can run code when it is opened and is not opened "
            f"here; save the adapter as {WEIGHTS_FILE}"
        )
    return Adapter(path, base, rank)
