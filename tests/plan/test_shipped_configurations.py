"""Every shipped configuration, and its smoke variant, can be planned: the workflow builds, and each run is trained once."""

from pathlib import Path

import pytest
import yaml
from planning import Project

from lossgeometry.experiment.loading import load_config

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = sorted(path.name for path in (ROOT / "config").glob("*.yaml"))


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Project:
    return Project.create(tmp_path_factory.mktemp("shipped") / "project")


@pytest.mark.parametrize("smoke", [False, True], ids=["full", "smoke"])
@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_configuration_can_be_planned(project, name, smoke):
    values = yaml.safe_load((project.root / "config" / name).read_text(encoding="utf-8")) | {"smoke": smoke}
    path = project.root / f"{smoke}-{name}"
    path.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    plan = project.plan("--configfile", str(path))
    config = load_config(values)
    assert len(plan["train_adapter"]) == len(config.trained)
    assert len(plan.get("derive_adapter", []) + plan.get("scale_adapter", [])) == sum(
        run.origin == "derived" for run in config.runs.values()
    )
    assert len(plan["compare_pairs"]) == len({later for _, later in config.pairs})
