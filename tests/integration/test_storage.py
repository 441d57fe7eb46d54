"""The whole experiment with a default storage: every file goes there, and has the same bytes as beside the workflow."""

from shutil import which

import pytest
from workflow_copy import WorkflowCopy, small_config

pytestmark = pytest.mark.skipif(not which("rsync"), reason="the storage plugin `fs` copies with rsync")
COMPARED = (
    "adapters",
    "base",
    "connectivity",
    "deltas",
    "evaluation",
    "pairs",
    "prompts",
    "representations",
    "rollouts",
)


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """The storage's folder and the workflow, after a run of every stage with two methods."""
    folder = tmp_path_factory.mktemp("storage")
    workflow = WorkflowCopy(folder / "workflow", small_config("sft", "dpo"))
    storage = ("--default-storage-provider", "fs", "--default-storage-prefix", str(folder / "bucket"))
    workflow.run("--cores", "2", *storage, "all")
    assert "Nothing to be done" in workflow.run("--cores", "2", *storage, "--dry-run", "all")
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
    assert "## Time" not in (results / "summary.md").read_text()  # which would be of the jobs that ran on this machine


def test_storage_changes_no_byte(stored, experiment):
    """Beside an experiment of more methods, whose runs and pairs of these two are the same."""
    results, _ = stored
    beside = experiment / "results" / "integration"
    files = [path.relative_to(results) for name in COMPARED for path in sorted((results / name).rglob("*"))]
    files = [path for path in files if (results / path).is_file()]
    assert len(files) > 40
    assert [path for path in files if (results / path).read_bytes() != (beside / path).read_bytes()] == []
