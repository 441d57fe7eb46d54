"""Compute an adapter from others by exact arithmetic on factors, and write it as PEFT loads it.

Exactly one operation; other adapters are named as folders, hub ids or delta files.
"""

import argparse
from pathlib import Path

from lossgeometry.command.compare import add_base_arguments

EXAMPLE = "lossgeometry edit runs/grpo --reject runs/sft --out grpo-without-sft"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", help="folder, hub id (owner/name@revision) or delta file that is edited")
    parser.add_argument("--scale", type=float, help="multiply by a factor; -1 negates")
    parser.add_argument("--to-norm-of", metavar="SOURCE", help="scale to the Frobenius norm of another")
    parser.add_argument("--project", metavar="SOURCE", help="keep what lies along another, module by module")
    parser.add_argument("--reject", metavar="SOURCE", help="keep what is orthogonal to another, module by module")
    parser.add_argument("--truncate", type=int, metavar="K", help="keep so many leading directions of every module")
    parser.add_argument(
        "--layers", nargs="+", metavar="LAYER", help="keep these layers, by number or name of the block"
    )
    parser.add_argument("--projections", nargs="+", metavar="NAME", help="keep these projections, such as q_proj")
    parser.add_argument("--rest", metavar="SOURCE", help="with one of these: what everything else is taken from")
    parser.add_argument("--add", metavar="SOURCE", help="add another")
    parser.add_argument("--randomise", type=int, metavar="SEED", help="keep the singular values, draw directions anew")
    parser.add_argument("--out", type=Path, required=True, help="folder of the new adapter, which must not exist")
    add_base_arguments(parser)


def run(options: argparse.Namespace) -> None:
    """Write the adapter, and print what it kept."""
    # Here, since threads are pinned before numerical libraries are imported.
    from lossgeometry.command.editing import write_edit
    from lossgeometry.files.text import printable

    for line in write_edit(vars(options)):
        print(printable(line))
