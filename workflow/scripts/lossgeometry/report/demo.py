"""The pictures of the README and the page beside it, from the finished default experiment: `make demo`."""

import shutil
import sys
from pathlib import Path

from lossgeometry.errors import InputError
from lossgeometry.provenance import SCRIPTS

LARGEST = 2_000_000
"""Bytes of the page, so that a repository can hold it."""
PICTURES = {"cosine_map": "map", "differences_reachable": "accuracy", "predicted": "predicted"}
"""Figures of the experiment, and their names in the folder."""


def make_demo(results: Path, folder: Path) -> list[Path]:
    """Copy the page as `demo.html` and figures as PNG into a folder, and return the files.

    Raises
    ------
    InputError
        If something is not finished, or the page is larger than `LARGEST`.
    """
    sources = {results / "explorer.html": folder / "demo.html"}
    sources |= {results / f"figures/{figure}.png": folder / f"{name}.png" for figure, name in PICTURES.items()}
    for source in sources:
        if not source.is_file():
            raise InputError(f"{source} is missing; run `make all` first, or name finished results as RESULTS=...")
    page = results / "explorer.html"
    if page.stat().st_size > LARGEST:
        raise InputError(
            f"{page} has {page.stat().st_size:,} bytes, more than the {LARGEST:,} that the repository takes"
        )
    for source, target in sources.items():
        shutil.copyfile(source, target)
    return list(sources.values())


if __name__ == "__main__":
    try:
        for path in make_demo(Path(sys.argv[1]), SCRIPTS.parents[1] / "docs"):
            print(path)
    except InputError as error:
        sys.exit(f"error: {error}")
