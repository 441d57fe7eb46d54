"""Compare adapters, or full fine-tunes, without a configuration: all pairs of what is named on the command line."""

import argparse
import os
import sys
from itertools import combinations
from pathlib import Path

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

from lossgeometry.errors import CannotWrite, InputError  # noqa: E402
from lossgeometry.files.parquet import table_of, write_parquet  # noqa: E402
from lossgeometry.files.text import printable, printable_lines  # noqa: E402
from lossgeometry.geometry.comparison import compare  # noqa: E402
from lossgeometry.geometry.pairs import MapRow  # noqa: E402
from lossgeometry.geometry.scopes import Row  # noqa: E402
from lossgeometry.updates.full import read_fine_tunes  # noqa: E402
from lossgeometry.updates.hub import fetch_adapter  # noqa: E402
from lossgeometry.updates.loading import RANK, load  # noqa: E402
from lossgeometry.updates.reduction import write_delta  # noqa: E402
from lossgeometry.updates.stored import Delta  # noqa: E402
from lossgeometry.updates.update import Update  # noqa: E402


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "adapters",
        nargs="*",
        type=Path,
        help="PEFT LoRA adapters: folders, or hub ids (owner/name@revision); delta files",
    )
    parser.add_argument(
        "--delta-of",
        nargs=2,
        action="append",
        default=[],
        type=Path,
        metavar=("BASE", "TUNED"),
        help="a full fine-tune: its model folder and that of its base; may be given several times",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for deltas/ and pairs/")
    parser.add_argument("--k", type=int, default=10, help="leading directions to compare (default: 10)")
    parser.add_argument(
        "--rank", type=int, default=RANK, help="rank kept of a full fine-tune's difference (default: %(default)s)"
    )
    return parser.parse_args(argv)


def name_of(source: Path) -> str:
    """Return the last part of a folder's path or of a hub id, or a delta file's name."""
    if source.is_file():
        return source.stem
    return source.resolve().name if source.exists() else source.name.partition("@")[0]


def local_folder(source: Path, out: Path) -> Path:
    """Return the folder of an adapter, fetched from the hub below ``out`` where there is none of that name."""
    if source.exists():
        return source
    fetched = out / "adapters" / name_of(source)
    fetch_adapter(str(source), fetched)
    return fetched


def reduce(update: Update, path: Path) -> None:
    """Write an update's delta file, and say what is no part of it."""
    write_delta(update, path)
    if update.skipped:
        skipped = ", ".join(update.skipped)
        print(printable(f"{update.name}: {len(update.skipped)} tensors are not compared: {skipped}"))


def main(options: argparse.Namespace) -> None:
    names = [name_of(path) for path in (*options.adapters, *(tuned for _, tuned in options.delta_of))]
    if len(set(names)) < max(len(names), 2):
        raise InputError(f"name at least two folders with different last parts; these are {', '.join(names) or 'none'}")
    if options.out.exists() and not options.out.is_dir():
        raise InputError(f"{options.out} is a file; name a folder as --out")
    deltas = {name: options.out / "deltas" / f"{name}.safetensors" for name in names}
    for source in options.adapters:
        if source.is_file():
            deltas[name_of(source)] = source
        else:
            reduce(load(local_folder(source, options.out)), deltas[name_of(source)])
    for base in dict.fromkeys(base for base, _ in options.delta_of):
        for update in read_fine_tunes(
            base, [tuned for start, tuned in options.delta_of if start == base], options.rank
        ):
            reduce(update, deltas[update.name])
            print(
                f"{printable(update.name)}: {update.changed:.1%} of the entries differ from the base (few: rounding hides a"
                " small update);"
            )
            worst = max(update.left_out.values())
            print(f"  rank {options.rank} leaves out up to {worst:.1%} of a module's squared norm")
    for a, b in combinations(names, 2):
        pair = compare(Delta(deltas[a]), Delta(deltas[b]), options.k)
        folder = options.out / "pairs" / f"{a}--{b}"
        write_parquet(folder / "geometry.parquet", table_of(pair.rows, Row))
        write_parquet(folder / "grassmann.parquet", table_of(pair.maps, MapRow))
        print(printable_lines(f"\n{pair}\n{folder / 'geometry.parquet'}"))


if __name__ == "__main__":
    try:
        main(arguments())
    except (InputError, CannotWrite) as error:
        sys.exit(printable(f"error: {error}"))
