"""Print the jobs that Snakemake would run, per rule, why, and the core- and GPU-hours that they would take.

Usage: print_plan.py [whatever snakemake takes: targets, --configfile, --config, ...]
"""

import sys
from pathlib import Path

from lossgeometry.planning.plan import format_plan, plan

PROJECT = Path(__file__).resolve().parents[2]

if __name__ == "__main__":
    print(format_plan(plan(PROJECT, sys.argv[1:]), PROJECT))
