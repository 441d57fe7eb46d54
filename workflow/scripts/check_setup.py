"""Check what an experiment needs of this machine, and print what it would cost, before anything is run.

Exit status 1 if something is missing.

Usage: check_setup.py [--offline] [whatever snakemake takes: targets, --configfile, --config, ...]
--offline asks neither the hub nor the endpoint.
"""

import json
import sys
from pathlib import Path

from lossgeometry.costs import Shape, shape_of
from lossgeometry.errors import ConfigError
from lossgeometry.experiment.config import Config
from lossgeometry.experiment.layers import given_values
from lossgeometry.experiment.loading import load_config
from lossgeometry.files.text import printable
from lossgeometry.gpus import list_gpus
from lossgeometry.planning import preflight
from lossgeometry.planning.audit_memory import check_audit
from lossgeometry.planning.budget import budget, format_budget, problems_in
from lossgeometry.planning.estimates import REFERENCE_DEVICE, Work
from lossgeometry.planning.plan import format_plan, plan
from lossgeometry.planning.rehearsed import read_rehearsal, rehearsed_seconds

PROJECT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Read the command line, check, print."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--offline"]
    offline = len(arguments) < len(sys.argv[1:])
    try:
        config = load_config(given_values(PROJECT, arguments))
    except ConfigError as error:
        sys.exit(printable(f"The configuration cannot run. {error}."))
    results = PROJECT / "results" / config.experiment
    gpu = preflight.needs_gpu(config)
    hub = (
        []
        if offline
        else list(preflight.check_revisions(preflight.hub_sources(config, results), preflight.commit_on_hub))
    )
    shape = student_shape(config, results, all(finding.state == preflight.READY for finding in hub) and bool(hub))
    environment = PROJECT / "envs" / ("gpu.yaml" if gpu else "cpu.yaml")
    findings = [preflight.check_versions(preflight.pinned_versions(environment))]
    gpus = list_gpus()
    findings += [
        *preflight.check_gpus(config, shape, gpus, read_rehearsal(results)),
        *check_audit(config, shape, gpus),
        *hub,
    ]
    if config.teacher.source == "endpoint" and not config.rollouts.file:
        findings.append(preflight.check_lengths(config))
        if not offline:
            findings.append(preflight.check_endpoint(config.teacher, config.rollouts.engine))
    measured = read_rehearsal(results)
    work = Work(shape, lambda name: problems_in(config, results, name), rehearsed=measured) if shape and gpu else None
    stages = budget(config, work) if work else []
    if stages:
        findings.append(preflight.check_disk(results, sum(stage.disk_bytes for stage in stages)))
    for finding in findings:
        print(printable(f"{finding.state:<8} {finding.text}"))
    if stages:
        print(f"\n{format_budget(stages, REFERENCE_DEVICE)}\n")
    print("Jobs that would run, and what the same jobs took here before:")
    print(format_plan(plan(PROJECT, arguments), PROJECT, rehearsed_seconds(config, results)))
    sys.exit(int(any(finding.state == preflight.MISSING for finding in findings)))


def student_shape(config: Config, results: Path, hub: bool) -> Shape | None:
    """Return the student's shape from its folder, or from the hub; None where neither can be read, and for the tiny model."""
    folders = [
        results / "models" / "student",
        *([Path(config.student.name)] if config.student.source == "folder" else []),
    ]
    path = next((folder / "config.json" for folder in folders if (folder / "config.json").is_file()), None)
    if path is None and config.student.source == "hub" and hub:
        from huggingface_hub import hf_hub_download

        path = Path(hf_hub_download(config.student.name, "config.json", revision=config.student.revision))
    return shape_of(json.loads(path.read_text(encoding="utf-8"))) if path else None


if __name__ == "__main__":
    main()
