"""Compute the digests that finished results claim again, and list what does not hold. Exit status 1 if something does not.

Usage: verify_results.py [folder of an experiment's results ...]; all below results/ without one
"""

import sys
from pathlib import Path

from lossgeometry.files.text import printable
from lossgeometry.records import RECORDS, check, mixtures

PROJECT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Check every folder, print what does not hold."""
    folders = [Path(name) for name in sys.argv[1:]] or sorted(
        path for path in PROJECT.glob("results/*") if path.is_dir()
    )
    failed = not folders
    for folder in folders:
        wrong, count = check(folder)
        for sentence in [*wrong, *(f"warning: {mixture}" for mixture in mixtures(folder))]:
            print(printable(f"{folder.name}: {sentence}"))
        if not count:
            print(
                printable(
                    f"{folder} holds no records of results; name the folder of an experiment, such as results/tiny"
                )
            )
        else:
            print(printable(f"{folder.name}: {count - len(wrong)} of {count} files are what is claimed of them"))
            if not (folder / RECORDS).is_dir():
                print(
                    printable(f"{folder.name}: no records of jobs are here, so nothing is claimed of the other files")
                )
        failed = failed or bool(wrong) or not count
    sys.exit(int(failed))


if __name__ == "__main__":
    main()
