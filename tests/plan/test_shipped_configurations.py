"""Every shipped configuration, and its smoke variant, can be planned: the workflow builds, and each run is trained once."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from workflow_copy import copy_sources

from lossgeometry.experiment.loading import load_config

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = sorted(path.name for path in (ROOT / "config").glob("*.yaml"))


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("shipped") / "project"
    copy_sources(root)
    return root


@pytest.mark.parametrize("smoke", [False, True], ids=["full", "smoke"])
@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_configuration_can_be_planned(project, name, smoke):
    values = yaml.safe_load((project / "config" / name).read_text(encoding="utf-8")) | {"smoke": smoke}
    path = project / f"{smoke}-{name}"
    path.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    call = [sys.executable, "workflow/scripts/print_plan.py", "--configfile", str(path)]
    result = subprocess.run(call, cwd=project, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-3000:]
    jobs = dict(re.findall(r"^(\w+) +(\d+) ", result.stdout, re.MULTILINE))
    config = load_config(values)
    assert int(jobs["train_adapter"]) == len(config.trained)
    assert sum(int(jobs.get(rule, 0)) for rule in ("derive_adapter", "scale_adapter")) == sum(
        run.origin == "derived" for run in config.runs.values()
    )
    assert int(jobs["compare_pairs"]) == len({later for _, later in config.pairs})
