"""Compare adapters with each other: one matrix beside chance, tables, figures and a page.

Sources are folders of PEFT adapters, hub ids (owner/name@revision), delta files, and with --base folders of full fine-tunes.
"""

import argparse
from pathlib import Path

EXAMPLE = "lossgeometry compare runs/first runs/second third=some-user/some-adapter@main --out comparison"
RANK = 64
"""Rank that is kept of an update that is not of low rank."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("sources", nargs="+", metavar="[name=]source", help="folder, hub id or delta file; two or more")
    parser.add_argument("--out", type=Path, required=True, help="folder for tables, figures and the page")
    parser.add_argument("--k", type=int, default=10, help="leading directions to compare (default: %(default)s)")
    control = "name of one that was trained on shuffled verdicts: shown beside every similarity (may be repeated)"
    parser.add_argument("--control", action="append", default=[], metavar="NAME", help=control)
    replicate = "two that differ in the order of their data alone: the noise that a loss must exceed (may be repeated)"
    parser.add_argument("--replicate", nargs=2, action="append", default=[], metavar="NAME", help=replicate)
    add_base_arguments(parser)


def add_base_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the readers of whole models, of DoRA and of modules trained whole need."""
    text = "folder of the base model: for full fine-tunes, DoRA, and modules that were trained whole"
    parser.add_argument("--base", help=text)
    parser.add_argument(
        "--rank", type=int, default=RANK, help="rank kept of an update that has no low rank (default: %(default)s)"
    )


def run(options: argparse.Namespace) -> None:
    """Compare, write everything below `--out`, and print the matrix and the findings."""
    # Here, since threads are pinned before numerical libraries are imported.
    from lossgeometry.command.results import write_comparison
    from lossgeometry.command.roles import Roles
    from lossgeometry.command.sources import named_sources
    from lossgeometry.files.text import printable_lines

    roles = Roles(tuple(options.control), tuple((first, second) for first, second in options.replicate))
    sources = named_sources(options.sources)
    for line in write_comparison(sources, options.out, options.k, options.base, options.rank, roles):
        print(printable_lines(line))
