"""The finished experiment that most plans start from."""

from pathlib import Path

import pytest
from planning import Project


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A finished experiment, made once for all files of one process: clone it before changing anything."""
    project = Project.create(tmp_path_factory.mktemp("finished") / "project")
    project.finish()
    return project


@pytest.fixture
def project(finished: Project, tmp_path: Path) -> Project:
    """A copy of it, to change."""
    return finished.clone(tmp_path / "project")
