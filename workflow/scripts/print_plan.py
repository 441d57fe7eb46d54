"""Print the jobs that Snakemake would run, per rule, and the core- and GPU-hours that they would take."""

import argparse
from pathlib import Path

from lossgeometry.planning.plan import format_plan, plan

PROJECT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Read the command line and print the plan."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", default=["all"], help="rules or files, as for snakemake; all by default")
    parser.add_argument("--configfile", type=Path, action="append", default=[], help="as for snakemake")
    arguments = parser.parse_args()
    configfiles = [path.resolve() for path in arguments.configfile]
    print(format_plan(plan(PROJECT, configfiles, arguments.targets), PROJECT))


if __name__ == "__main__":
    main()
