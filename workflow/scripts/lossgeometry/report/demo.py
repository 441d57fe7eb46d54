"""The pictures of the README and the page beside it, from the finished default experiment: `make demo`."""

import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lossgeometry.errors import InputError
from lossgeometry.files.atomic import atomic_file
from lossgeometry.findings.tabulation import read_findings
from lossgeometry.provenance import SCRIPTS
from lossgeometry.report.markdown import escape

LARGEST = 2_000_000
"""Bytes of the page, so that a repository can hold it."""
PICTURES = {"cosine_map": "map", "differences_reachable": "accuracy"}
"""Figures of the experiment, and their names in the folder."""


START, END = "<!-- made by `make demo` -->\n", "<!-- end -->"
"""What the README's findings stand between."""
TOLD = 4
"""Takeaways that it has."""


def make_demo(results: Path, readme: Path, folder: Path) -> list[Path]:
    """Copy the page as `demo.html` and figures as PNG into a folder, write findings into the README, and return the files.

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
    before, start, rest = readme.read_text(encoding="utf-8").partition(START)
    _, end, after = rest.partition(END)
    if not (start and end):
        raise InputError(f"{readme} has no lines {START.strip()} and {END}, between which findings go")
    for source, target in sources.items():
        shutil.copyfile(source, target)
    told = _told(read_findings(results / "tables/findings.json"), folder.name)
    with atomic_file(readme) as partial:
        partial.write_text(before + START + told + END + after, encoding="utf-8")
    return [*sources.values(), readme]


def _told(findings: Sequence[Mapping[str, Any]], folder: str) -> str:
    takeaways = [finding for finding in findings if finding["rank"]][:TOLD]
    sentences = [f"- **{escape(one['question'])}** {escape(one['statement'])}" for one in takeaways]
    pictures = [
        f"![Cosine between the updates of every two losses of the default experiment]({folder}/map.png)",
        f"![Difference to the base's accuracy, loss by loss, with 95 % intervals]({folder}/accuracy.png)",
    ]
    return "\n\n".join([pictures[0], "\n".join(sentences), pictures[1], ""])


if __name__ == "__main__":
    try:
        root = SCRIPTS.parents[1]
        for path in make_demo(Path(sys.argv[1]), root / "README.md", root / "docs"):
            print(path)
    except InputError as error:
        sys.exit(f"error: {error}")
