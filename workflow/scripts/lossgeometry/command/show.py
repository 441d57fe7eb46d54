"""Show one adapter: its norms, ranks and spectrum, modules that did not move, and what merging into bfloat16 would lose."""

import argparse

from lossgeometry.command.compare import add_base_arguments

EXAMPLE = "lossgeometry show runs/first --base models/Qwen3-4B"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", help="folder, hub id (owner/name@revision) or delta file")
    add_base_arguments(parser)


def run(options: argparse.Namespace) -> None:
    """Print the portrait of one update."""
    # Here, since threads are pinned before numerical libraries are imported.
    from lossgeometry.command.sources import one_update, what_is_left_out
    from lossgeometry.files.text import printable
    from lossgeometry.geometry.portrait import merged_in_bf16, portrait, sizes_of
    from lossgeometry.updates.base import BaseWeights

    with one_update(options.source, options.base, options.rank) as update:
        for line in portrait(update, sizes_of(update)):
            print(printable(line))
        if options.base is None:
            print("what merging into bfloat16 would lose depends on the base's weights: name its folder with --base")
        elif merged := merged_in_bf16(update, BaseWeights(options.base)):
            print(
                f"merged into bfloat16, {merged.modules} modules: {1 - merged.visible:.1%} of the entries would not change;"
                f" {merged.lost:.1%} of the update's norm would be lost to rounding (cosine of what is left"
                f" {merged.cosine:.3f})"
            )
        else:
            print(f"{options.base} has none of these modules in their shapes: it is another model")
        for line in what_is_left_out(update):
            print(printable(line))
