"""Say which known loss a loss of your own is, before training: `make audit METHOD=my_loss.py ROLLOUTS=...`."""

import argparse
import sys
from pathlib import Path

from lossgeometry.errors import InputError
from lossgeometry.files.text import printable, printable_lines

ROLLOUTS = Path("results/tiny/rollouts/rollouts.parquet")


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("method", type=Path, help="Python file with token_loss, pair_loss or row_loss")
    parser.add_argument("--rollouts", type=Path, default=ROLLOUTS, help="those of a finished experiment")
    arguments = parser.parse_args()
    from lossgeometry.audit.own_loss import audit_method, in_words

    try:
        print(printable_lines(in_words(audit_method(arguments.method, arguments.rollouts))))
    except InputError as error:
        sys.exit(printable(f"error: {error}"))


if __name__ == "__main__":
    main()
