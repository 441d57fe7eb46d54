"""Compare adapters, or full fine-tunes, without a configuration: all pairs of what is named on the command line."""

import argparse
import json
import os
import sys
from itertools import combinations
from pathlib import Path

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

from lossgeometry.errors import InputError  # noqa: E402
from lossgeometry.geometry.overview import overview  # noqa: E402
from lossgeometry.geometry.pairs import MapRow, compare_pair
from lossgeometry.geometry.scopes import Row  # noqa: E402
from lossgeometry.geometry.tidy import table_of, write_parquet  # noqa: E402
from lossgeometry.text import printable, printable_lines  # noqa: E402
from lossgeometry.updates.full import reduce_checkpoints  # noqa: E402
from lossgeometry.updates.hub import fetch_adapter  # noqa: E402
from lossgeometry.updates.peft import Adapter  # noqa: E402
from lossgeometry.updates.stored import Delta, reduce_adapter  # noqa: E402


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "adapters", nargs="*", type=Path, help="PEFT LoRA adapters: folders, or hub ids (owner/name@revision)"
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
    parser.add_argument("--rank", type=int, default=64, help="rank kept of a full fine-tune's difference (default: 64)")
    parser.add_argument("--shared-init", action="store_true", help="the adapters started from one initialisation of A")
    return parser.parse_args(argv)


def name_of(source: Path) -> str:
    """Return the last part of a folder's path or of a hub id."""
    return source.resolve().name if source.exists() else source.name.partition("@")[0]


def local_folder(source: Path, out: Path) -> Path:
    """Return the folder of an adapter, fetched from the hub below ``out`` where there is none of that name."""
    if source.exists():
        return source
    fetched = out / "adapters" / name_of(source)
    fetch_adapter(str(source), fetched)
    return fetched


def main(options: argparse.Namespace) -> None:
    names = [name_of(path) for path in (*options.adapters, *(tuned for _, tuned in options.delta_of))]
    if len(set(names)) < max(len(names), 2):
        raise InputError(f"name at least two folders with different last parts; these are {', '.join(names) or 'none'}")
    adapters = [local_folder(source, options.out) for source in options.adapters]
    deltas = {name: options.out / "deltas" / f"{name}.safetensors" for name in names}
    for folder in adapters:
        reduce_adapter(Adapter(folder), deltas[name_of(folder)])
    for base in dict.fromkeys(base for base, _ in options.delta_of):
        tuned = [(folder, deltas[name_of(folder)]) for start, folder in options.delta_of if start == base]
        skipped = reduce_checkpoints(base, tuned, options.rank)
        print(printable(f"{base}: {len(skipped)} tensors are not compared: {', '.join(skipped)}"))
        for folder, path in tuned:
            delta = Delta(path)
            worst, changed = max(delta.left_out.values()), json.loads(delta.metadata["changed"])
            print(
                printable(str(folder))
                + f": {changed:.1%} of the entries differ from the base (few: rounding hides a small update);"
            )
            print(f"  rank {options.rank} leaves out up to {worst:.1%} of a module's squared norm")
    for a, b in combinations(names, 2):
        pair = compare_pair(Delta(deltas[a]), Delta(deltas[b]), (a, b), options.k, options.shared_init)
        folder = options.out / "pairs" / f"{a}--{b}"
        write_parquet(folder / "geometry.parquet", table_of(pair.rows, Row))
        write_parquet(folder / "grassmann.parquet", table_of(pair.maps, MapRow))
        print(printable_lines(f"\n{overview(pair.rows, (a, b), options.shared_init)}\n{folder / 'geometry.parquet'}"))


if __name__ == "__main__":
    try:
        main(arguments())
    except InputError as error:
        sys.exit(printable(f"error: {error}"))
