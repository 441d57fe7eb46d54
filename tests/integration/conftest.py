"""One small experiment, run once, end to end, in a copy of the workflow."""

from pathlib import Path

import pytest
from made_once import made_once
from whole_experiment import copy_workflow, snakemake


@pytest.fixture(scope="session")
def experiment(tmp_path_factory) -> Path:
    """The finished experiment's folder; copy it before changing anything."""

    def make(folder: Path) -> None:
        result = snakemake(copy_workflow(folder), "all")
        assert result.returncode == 0, result.stderr[-6000:]

    return made_once(tmp_path_factory, "experiment", make)
