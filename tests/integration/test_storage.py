"""The whole experiment with a default storage: every file goes there, and has the same bytes as beside the workflow."""

import zipfile
from shutil import which

import numpy as np
import pytest
from geometry_tools import name as module_name
from geometry_tools import random_factors, write_adapter
from workflow_copy import WorkflowCopy, small_config

pytestmark = pytest.mark.skipif(not which("rsync"), reason="the storage plugin `fs` copies with rsync")
COMPARED = (
    "adapters",
    "base",
    "connectivity",
    "deltas",
    "evaluation",
    "prompts",
    "representations",
    "rollouts",
)


def storage(folder):
    return ("--default-storage-provider", "fs", "--default-storage-prefix", str(folder / "bucket"))


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """The storage's folder and the workflow, after a run of every stage with two methods."""
    folder = tmp_path_factory.mktemp("storage")
    workflow = WorkflowCopy(folder / "workflow", small_config("sft", "dpo"))
    workflow.run("--cores", "2", *storage(folder), "all")
    assert "Nothing to be done" in workflow.run("--cores", "2", *storage(folder), "--dry-run", "all")
    return folder / "bucket" / "results" / "integration", workflow


def test_results_are_in_the_storage_alone(stored):
    results, workflow = stored
    for name in (
        "summary.md",
        "explorer.html",
        "tables/cka.csv",
        "tables/claims.csv",
        "tables/behaviour.csv",
        "figures",
    ):
        assert (results / name).exists(), name
    assert not (workflow.root / "results").exists()
    assert (
        "<summary>Time" not in (results / "summary.md").read_text()
    )  # which would be of the jobs that ran on this machine


def test_storage_changes_no_byte(stored, experiment):
    """Beside an experiment of more methods, whose runs and pairs of these two are the same."""
    results, _ = stored
    beside = experiment / "results" / "integration"
    files = [path for part in COMPARED for path in sorted((results / part).rglob("*")) if path.is_file()]
    assert len(files) > 30
    assert [path for path in files if path.read_bytes() != (beside / path.relative_to(results)).read_bytes()] == []
    for row in sorted((results / "rows").rglob("*.zip")):  # what the storage has of pairs
        with zipfile.ZipFile(row) as archive:
            for name in archive.namelist():
                if "cka/" not in name:  # a block of layers
                    assert archive.read(name) == (beside / "pairs" / name).read_bytes(), name


def test_adapters_of_the_user_are_read_where_they_are(tmp_path):
    workflow = WorkflowCopy(
        tmp_path / "workflow", {"experiment": "own", "adapters": {"one": "mine/one", "two": "mine/two"}}
    )
    for index, adapter in enumerate(("one", "two")):
        rng = np.random.default_rng(index)
        factors = {module_name(layer, p): random_factors(rng, 12, 4, 12) for layer in range(2) for p in "qv"}
        write_adapter(workflow.root / "mine" / adapter, factors, dtype="float32")
    workflow.run("--cores", "1", *storage(tmp_path), "deltas")
    assert (tmp_path / "bucket/results/own/deltas/external.one.safetensors").is_file()
