"""Another workflow includes this one as a module, or deploys it: everything of it is found beside its own Snakefile."""

import os
import subprocess
import sys

import numpy as np
import pytest
import yaml
from geometry_tools import name, random_factors, write_adapter
from workflow_copy import REPOSITORY, copy_sources

from lossgeometry.experiment.loading import load_config

pytestmark = pytest.mark.slow

ADAPTERS = {adapter: f"mine/{adapter}" for adapter in ("one", "two")}
CAPTION = REPOSITORY / "resources" / "captions" / "table_geometry.rst"
PAIR = "pairs/external.one--external.two/geometry.parquet"

TWICE = f"""
configfile: "outer.yaml"

module lossgeometry:
    snakefile: "{REPOSITORY}/Snakefile"
    config: config["first"]
    prefix: "inner"

use rule * from lossgeometry as lg_*

module another:
    snakefile: "{REPOSITORY}/workflow/Snakefile"
    config: config["second"]

use rule * from another as another_*

rule mine:
    default_target: True
    input: "inner/results/first/summary.md", "results/second/summary.md"
    output: "mine.txt"
    params: word=config["word"]
    shell: "echo {{params.word}} > {{output}}"
"""

WITHOUT_CONFIGURATION = f"""
module lossgeometry:
    snakefile: "{REPOSITORY}/workflow/Snakefile"

use rule * from lossgeometry
"""

# As `snakedeploy deploy-workflow https://github.com/someone/lossgeometry . --tag v1` writes it.
DEPLOYED = """from snakemake.utils import min_version


min_version("6.10.0")


configfile: "config/config.yaml"


# declare https://github.com/someone/lossgeometry as a module
module lossgeometry:
    snakefile: 
        github("someone/lossgeometry", path="workflow/Snakefile", tag="v1")
    config:
        config


# use all rules from https://github.com/someone/lossgeometry
use rule * from lossgeometry
"""  # noqa: W291


@pytest.fixture
def outer(tmp_path):
    """A folder of somebody's own, with two adapters."""
    folder = tmp_path / "outer"
    for index, path in enumerate(ADAPTERS.values()):
        rng = np.random.default_rng(index)
        factors = {name(layer, p): random_factors(rng, 12, 4, 12) for layer in range(2) for p in "qv"}
        write_adapter(folder / path, factors, dtype="float32")
    return folder


def snakemake(folder, *arguments, **environment):
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | environment
    command = [sys.executable, "-m", "snakemake", "--cores", "1", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_a_workflow_includes_this_one_twice_with_two_configurations(outer):
    own = {name: {"experiment": name, "adapters": ADAPTERS} for name in ("first", "second")}
    own["second"]["geometry"] = {"k": 3}
    (outer / "Snakefile").write_text(TWICE)
    (outer / "outer.yaml").write_text(yaml.safe_dump(own | {"word": "planned"}))
    said = snakemake(outer)
    assert "lg_write_summary" in said and "another_write_summary" in said
    assert (outer / "mine.txt").read_text() == "planned\n"
    assert {path.name for path in (outer / "results").iterdir()} == {"second"}
    first, second = outer / "inner/results/first", outer / "results/second"
    assert (first / PAIR).read_bytes() != (second / PAIR).read_bytes()  # each job was handed the plan of its own module
    assert "Nothing to be done" in snakemake(outer, "--dry-run")
    snakemake(outer, "--report", "report.html", "--", str((second / "tables/geometry.csv").relative_to(outer)))
    assert CAPTION.read_text().split(",")[0] in (outer / "report.html").read_text()


def test_a_module_without_a_configuration_has_the_default_one(outer):
    (outer / "Snakefile").write_text(WITHOUT_CONFIGURATION)
    (outer / "config").mkdir()
    (outer / "config" / "config.yaml").write_text("experiment: of the outer workflow\n")
    default = load_config(yaml.safe_load((REPOSITORY / "config" / "config.yaml").read_text()))
    said = snakemake(outer, "--dry-run", "everything")
    assert "train_adapter" in said and f"results/{default.experiment}/summary.md" in said


def test_a_deployed_workflow_runs_from_the_repository_at_its_tag(outer, tmp_path):
    """What `snakedeploy` writes, with a repository of this machine in place of the hosted one."""
    repository = tmp_path / "host" / "someone" / "lossgeometry"
    copy_sources(repository)
    git = ["git", "-C", str(repository), "-c", "user.name=someone", "-c", "user.email=someone@example.org"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "first"], ["tag", "v1"]):
        subprocess.run([*git, *command], check=True)
    for path, text in {
        "workflow/Snakefile": DEPLOYED,
        "config/config.yaml": yaml.safe_dump({"experiment": "deployed", "adapters": ADAPTERS}),
    }.items():
        (outer / path).parent.mkdir()
        (outer / path).write_text(text)
    hosted = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.file://{tmp_path}/host/.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://github.com/",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
    said = snakemake(outer, "--dry-run", **hosted)
    assert "everything" in said and "draw_figures" in said  # its default target is ours
    snakemake(outer, "results/deployed/tables/runs.csv", "pairs", **hosted)
    assert (outer / "results/deployed" / PAIR).is_file()
    assert list(
        (tmp_path / "cache").rglob("lossgeometry/script.py")
    )  # the library of the tag, not one that lies nearby
    assert "Nothing to be done" in snakemake(outer, "--dry-run", "pairs", **hosted)
