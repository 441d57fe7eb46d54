"""What the command is pointed at: how adapters are called, where they lie, and what is said of them."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from lossgeometry.errors import InputError
from lossgeometry.experiment.checks import NAME, NAME_RULE
from lossgeometry.updates.folders import require_source
from lossgeometry.updates.hub import fetch_adapter
from lossgeometry.updates.loading import load
from lossgeometry.updates.update import Update


def named_sources(arguments: Sequence[str]) -> dict[str, str]:
    """Return {name: folder, delta file or hub id} of arguments `path` or `name=path`.

    Those without a name get the shortest end of their path that tells them apart; folders that all paths end in (`adapter`)
    tell nothing and are left out.

    Raises
    ------
    InputError
        If a name is not fit for a file, or two are equal.
    """
    given = [_split(argument) for argument in arguments]
    short = iter(_short_names([path for name, path in given if not name]))
    names = [name or next(short) for name, _ in given]
    for name in names:
        if not NAME.fullmatch(name):
            raise InputError(f"the name {name!r} is also a file's: {NAME_RULE}")
        if names.count(name) > 1:
            raise InputError(f"two adapters are called {name}; give them names: {name}=path")
    return dict(zip(names, (path for _, path in given), strict=True))


def _split(argument: str) -> tuple[str, str]:
    name, equals, path = argument.partition("=")
    return ("", argument) if not equals or "/" in name or Path(argument).exists() else (name, path)


def _short_names(paths: Sequence[str]) -> list[str]:
    parts = [_parts(path) for path in paths]
    while (
        len(set(map(tuple, parts))) > 1 and all(len(one) > 1 for one in parts) and len({one[-1] for one in parts}) == 1
    ):
        parts = [one[:-1] for one in parts]
    for length in range(1, max(map(len, parts), default=0) + 1):
        names = ["-".join(one[-length:]) for one in parts]
        if len(set(names)) == len(names):
            return names
    return [one[-1] for one in parts]


def _parts(path: str) -> list[str]:
    """Return the parts of an absolute path, or of a hub id, as they may stand in a name."""
    here = Path(path)
    text = str(here.resolve()) if here.exists() else path
    text = text.removesuffix(".safetensors") if here.is_file() else text
    fit = (re.sub(r"[.-]{2,}", "-", re.sub(r"[^A-Za-z0-9_.-]+", "_", part)).strip(".-") for part in text.split("/"))
    return [part for part in fit if part] or ["root"]


def local_path(source: str, fetched: Path) -> Path:
    """Return where a source lies: itself, or for a hub id `fetched`, into which it is downloaded.

    Raises
    ------
    InputError
        If there is neither such a path nor such an adapter on the hub.
    """
    require_source(source)
    path = Path(source).expanduser()
    if not path.exists():
        fetch_adapter(source, fetched)
        path = fetched
    return path


@contextmanager
def one_update(source: str, base: str | None, rank: int) -> Iterator[Update]:
    """Yield the update of one source; what was downloaded for it is removed at the end."""
    require_base(base)
    with TemporaryDirectory() as scratch:
        yield load(local_path(source, Path(scratch) / "adapter"), base, rank)


def require_base(base: str | None) -> None:
    """Raise InputError if a base is named that is not there."""
    if base is not None and not Path(base).is_dir():
        raise InputError(f"{base} is not a folder; name that of the base model with --base")


def what_is_left_out(update: Update) -> Iterator[str]:
    """Yield what a file holds that is no part of the update: for every reason how many tensors, and the first few."""
    for reason in dict.fromkeys(update.skipped.values()):
        tensors = [tensor for tensor, why in update.skipped.items() if why == reason]
        more = f" and {len(tensors) - 3} more" if len(tensors) > 3 else ""
        yield f"not compared: {', '.join(tensors[:3])}{more} ({reason})"
    if update.left_out and max(update.left_out.values()) > 0:
        module = max(update.left_out, key=update.left_out.__getitem__)
        yield f"cut at a rank, which leaves out up to {update.left_out[module]:.1%} of a squared norm ({module})"
