"""Print what a cluster is to be asked for, going by what the jobs of a finished experiment took.

    make resources RESULTS=results/tiny

The lines take the place of `set-resources` in profiles/slurm/config.yaml.
"""

import argparse
from pathlib import Path

from lossgeometry.planning.recorded_needs import as_resources, recorded_needs

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="results/<experiment>")
    results = parser.parse_args().results
    needs = recorded_needs(results)
    print(as_resources(needs) if needs else f"{results} holds no records of jobs; run some of them first")
