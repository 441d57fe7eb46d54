"""Record the results as current after a change that you judge to be without effect on them, instead of computing them again.

Refused while an output is missing: only what was computed before can be accepted.

Usage: accept_results.py [whatever snakemake takes: targets, --configfile, --config, ...]
"""

import sys
from pathlib import Path

from lossgeometry.planning.accepting import format_accepted, missing_outputs, touch
from lossgeometry.planning.plan import plan

PROJECT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Look at what would run, and let Snakemake touch exactly that."""
    jobs = plan(PROJECT, sys.argv[1:])
    missing = missing_outputs(jobs, PROJECT)
    if missing:
        sys.exit(
            f"{len(missing)} outputs were never computed, {missing[0]} for one, so nothing is accepted; "
            "run snakemake, or name targets that are there"
        )
    if jobs:
        touch(PROJECT, sys.argv[1:])
    print(format_accepted(jobs))


if __name__ == "__main__":
    main()
