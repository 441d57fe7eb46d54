"""Measure how far adapters move what their base writes: exact KL divergence per token, in both directions."""

import argparse
from pathlib import Path

EXAMPLE = "lossgeometry behaviour runs/first runs/second --base models/Qwen3-4B --prompts prompts.jsonl --out moved.csv"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("sources", nargs="+", metavar="[name=]source", help="folder of a PEFT adapter")
    parser.add_argument("--base", required=True, help="folder of the base model")
    parser.add_argument(
        "--prompts", type=Path, required=True, help="JSON Lines with the key problem, or one prompt a line"
    )
    parser.add_argument("--problems", type=int, default=100, help="prompts that are used (default: %(default)s)")
    parser.add_argument("--max-new-tokens", type=int, default=256, help="of an answer (default: %(default)s)")
    parser.add_argument(
        "--temperature", type=float, default=1.0, help="of sampling; 0 is greedy (default: %(default)s)"
    )
    parser.add_argument("--suffix", default="", help="appended to every prompt, after a newline")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32", help="of the base's weights")
    parser.add_argument("--seed", type=int, default=0, help="of sampling (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="CSV file for all numbers, by text and part of the answers")


def run(options: argparse.Namespace) -> None:
    """Measure, write `--out`, and print each adapter's divergences."""
    # Here, since threads are pinned before numerical libraries are imported.
    from lossgeometry.behaviour.own_adapters import behaviour_of
    from lossgeometry.behaviour.section import section
    from lossgeometry.command.sources import named_sources
    from lossgeometry.files.csv_rows import write_frame
    from lossgeometry.files.text import printable_lines

    table = behaviour_of(
        options.base,
        named_sources(options.sources),
        options.prompts,
        problems=options.problems,
        max_new_tokens=options.max_new_tokens,
        temperature=options.temperature,
        suffix=options.suffix,
        precision=options.precision,
        seed=options.seed,
    )
    if options.out:
        write_frame(options.out, table)
    print(printable_lines(section({"behaviour": table}, {}).partition("\n\n")[2]))
