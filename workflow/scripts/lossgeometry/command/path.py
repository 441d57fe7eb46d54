"""Follow one training run: how its update moves from checkpoint to checkpoint, and towards the last one."""

import argparse
from pathlib import Path

from lossgeometry.command.compare import add_base_arguments

EXAMPLE = "lossgeometry path runs/first --out path.csv"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, help="folder of a training run, with checkpoint-N folders in it")
    parser.add_argument("--out", type=Path, help="CSV file for the table")
    add_base_arguments(parser)


def run(options: argparse.Namespace) -> None:
    """Print the path of one training run."""
    # Here, since threads are pinned before numerical libraries are imported.
    from lossgeometry.command.checkpoints import path_of, said

    path = path_of(options.folder, options.base, options.rank)
    if options.out is not None:
        from lossgeometry.files.csv_rows import write_rows
        from lossgeometry.trajectories.path import Step

        write_rows(options.out, Step._fields, path)
    for line in said(path):
        print(line)
