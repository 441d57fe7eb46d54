"""Write the page of one experiment with another's findings beside its own.

Usage: compare_experiments.py results/<experiment> --compare results/<another> [--output page.html]
"""

import argparse
import sys
from pathlib import Path

from lossgeometry.errors import InputError
from lossgeometry.explorer.beside import write_both


def main() -> None:
    """Write the page and print its path."""
    parser = argparse.ArgumentParser(
        description="Write the page of one experiment with another's findings beside its own."
    )
    parser.add_argument("results", type=Path)
    parser.add_argument("--compare", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=Path("beside.html"))
    options = parser.parse_args()
    try:
        write_both(options.results, options.compare, options.output)
    except InputError as error:
        sys.exit(f"error: {error}")
    print(options.output)


if __name__ == "__main__":
    main()
