"""Print the jobs that Snakemake would run, per rule, why, and the core- and GPU-hours that they would take.

Usage: print_plan.py [whatever snakemake takes: targets, --configfile, --config, ...]
"""

import sys
from pathlib import Path

from lossgeometry.experiment.layers import given_values
from lossgeometry.experiment.loading import load_config
from lossgeometry.planning.plan import format_plan, plan
from lossgeometry.planning.rehearsed import rehearsed_seconds

PROJECT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Plan, then read the configuration that was planned for what was rehearsed of it."""
    jobs = plan(PROJECT, sys.argv[1:])
    config = load_config(given_values(PROJECT, sys.argv[1:]))
    print(format_plan(jobs, PROJECT, rehearsed_seconds(config, PROJECT / "results" / config.experiment)))


if __name__ == "__main__":
    main()
