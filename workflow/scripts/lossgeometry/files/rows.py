"""The pairs of one run in one job: every pair has files of its own, which are made only where they are not current.

Snakemake removes what a job declares before it runs. So the declared output of a row is a copy of its pairs' files, packed;
the files themselves lie in `pairs/<a>--<b>/`, declared by no rule, beside a record of what each was made of. A row that runs
because one of its pairs changed makes that pair alone, and one that was killed continues with the pairs that it lacks.
"""

import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from lossgeometry.files.atomic import atomic_file
from lossgeometry.provenance import digest_of, digest_of_file

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The time of every packed file, so that the same files give the same bytes."""


def pair_id(a: str, b: str) -> str:
    """Return the name of a pair's folder."""
    return f"{a}--{b}"


def make_row(
    row: str | Path,
    pairs: Iterable[tuple[str, str]],
    names: Sequence[str],
    made_of: Callable[[str, str], object],
    make: Callable[[str, str, Path], None],
) -> None:
    """Make the files of some pairs where they are not current, and pack those of all.

    Parameters
    ----------
    row
        The archive to write, <results>/rows/<run>/<stage>.zip; files of pairs go to <results>/pairs.
    pairs
        The runs of every pair.
    names
        Files of one pair, relative to its folder.
    made_of
        What the files of a pair depend on, as JSON types: a pair is made again when this changes, or a file.
    make
        Writes the files of a pair into a folder.
    """
    row = Path(row)
    folder = row.parents[2] / "pairs"
    packed: dict[str, Path] = {}
    for a, b in pairs:
        files = {name: folder / pair_id(a, b) / name for name in names}
        record = folder / pair_id(a, b) / f".{row.stem}.json"
        digest = digest_of(made_of(a, b))
        if _recorded(record) == {"made_of": digest, "files": _digests(files)}:
            print(f"{a} and {b}: current")
        else:
            print(f"{a} and {b}")
            make(a, b, folder / pair_id(a, b))
            with atomic_file(record) as partial:
                partial.write_text(json.dumps({"made_of": digest, "files": _digests(files)}), encoding="utf-8")
        packed |= {f"{pair_id(a, b)}/{name}": file for name, file in files.items()}
    with atomic_file(row) as partial, zipfile.ZipFile(partial, "w") as archive:
        for name, file in packed.items():
            archive.writestr(zipfile.ZipInfo(name, EPOCH), file.read_bytes())


def _recorded(record: Path) -> object:
    """Return the record of a pair; None where it is missing or damaged, so that the pair is made again."""
    try:
        return json.loads(record.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None


def _digests(files: Mapping[str, Path]) -> dict[str, str]:
    return {name: digest_of_file(file) for name, file in files.items() if file.is_file()}


@contextmanager
def unpacked(rows: Iterable[str | Path]) -> Iterator[Path]:
    """Yield a folder with the files of all pairs of some rows, for the length of a ``with`` block."""
    with TemporaryDirectory() as folder:
        for row in rows:
            with zipfile.ZipFile(row) as archive:
                archive.extractall(folder)
        yield Path(folder)


def files_of(folder: Path, pairs: Iterable[Sequence[str]], name: str) -> list[Path]:
    """Return the file of every pair, in their order."""
    return [folder / pair_id(a, b) / name for a, b in pairs]
