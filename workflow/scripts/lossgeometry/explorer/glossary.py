"""docs/measurements.md: how to read each measurement, from the definitions that the page shows."""

import json
from pathlib import Path

from lossgeometry.explorer.assets import ASSET_FOLDER
from lossgeometry.provenance import SCRIPTS

INTRODUCTION = """# How to read each measurement

The explorer shows these texts where a word is dotted. Whatever has a chance level is shown beside it: judge a value by its
distance from that band, not from 0 or 90.

| measurement | what it says, and its limits |
|---|---|
"""


def measurements() -> str:
    """Return the text of docs/measurements.md."""
    definitions = json.loads((ASSET_FOLDER / "definitions.json").read_text(encoding="utf-8"))
    rows = [f"| **{title}** | {text.replace('|', chr(92) + '|')} |\n" for title, text in definitions.values()]
    return INTRODUCTION + "".join(rows)


def write(folder: Path = SCRIPTS.parents[1] / "docs") -> None:
    """Write the file."""
    (folder / "measurements.md").write_text(measurements(), encoding="utf-8")


if __name__ == "__main__":
    write()
