"""Record the results as current after a change that you judge to be without effect on them, instead of computing them again.

Refused while an output is missing: only what was computed before can be accepted.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from lossgeometry.planning.accepting import format_accepted, missing_outputs
from lossgeometry.planning.plan import plan

PROJECT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Read the command line, look at what would run, and let Snakemake touch exactly that."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", default=["all"], help="rules or files, as for snakemake; all by default")
    parser.add_argument("--configfile", type=Path, action="append", default=[], help="as for snakemake")
    arguments = parser.parse_args()
    configfiles = [path.resolve() for path in arguments.configfile]
    jobs = plan(PROJECT, configfiles, arguments.targets)
    missing = missing_outputs(jobs, PROJECT)
    if missing:
        sys.exit(
            f"{len(missing)} outputs were never computed, {missing[0]} for one, so nothing is accepted; "
            "run snakemake, or name targets that are there"
        )
    if jobs:
        names = ["--configfile", *map(str, configfiles)] if configfiles else []
        command = [sys.executable, "-m", "snakemake", "--touch", "--cores", "1", "--quiet", "all", *names]
        subprocess.run([*command, "--", *arguments.targets], cwd=PROJECT, check=True)
    print(format_accepted(jobs))


if __name__ == "__main__":
    main()
