"""Take a real step of every method of an experiment and print what it took; `make plan` and `make preflight` go by it afterwards.

Exit status 1 if a step could not be taken.

Usage: rehearse.py [whatever snakemake takes: --configfile, --config, ...]
"""

import json
import math
import sys
from pathlib import Path

from lossgeometry.costs import shape_of
from lossgeometry.errors import ConfigError, InputError
from lossgeometry.experiment.layers import given_values
from lossgeometry.experiment.loading import load_config
from lossgeometry.files.text import printable
from lossgeometry.gpus import taken
from lossgeometry.planning.budget import budget, format_budget, problems_in
from lossgeometry.planning.estimates import REFERENCE_DEVICE, Work
from lossgeometry.planning.preflight import needs_gpu
from lossgeometry.planning.rehearsed import Rehearsed, read_rehearsal, write_rehearsal
from lossgeometry.rehearsal.rehearse import format_rehearsal, rehearse

PROJECT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Read the command line, measure, write, print."""
    try:
        config = load_config(given_values(PROJECT, sys.argv[1:]))
    except ConfigError as error:
        sys.exit(printable(f"The configuration cannot run. {error}."))
    results = PROJECT / "results" / config.experiment
    measured: dict[str, Rehearsed] = {}
    device = ""
    try:
        with taken(int(needs_gpu(config))):
            for name, label, one in rehearse(config, results):
                taken_by_step = f"{one.seconds:.1f} s a step" if math.isfinite(one.seconds) else "too quick to time"
                print(printable(f"{label}: {one.failed or taken_by_step}"), flush=True)
                measured[label], device = one, name or device
    except InputError as error:
        sys.exit(printable(f"error: {error}"))
    write_rehearsal(results, device, measured)
    print(f"\nOn {device or 'no device'}, on the longest rows that the configuration admits:\n")
    for line in format_rehearsal(config, measured).splitlines():
        print(printable(line))
    if needs_gpu(config):
        shape = shape_of(json.loads((results / "models/student/config.json").read_text(encoding="utf-8")))
        work = Work(shape, lambda name: problems_in(config, results, name), rehearsed=read_rehearsal(results))
        print(f"\n{format_budget(budget(config, work), REFERENCE_DEVICE)}")
    sys.exit(int(any(one.failed for one in measured.values())))


if __name__ == "__main__":
    main()
