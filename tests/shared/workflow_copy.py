"""A copy of the workflow with a configuration of its own, in which Snakemake is run for real."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).parents[2]
SOURCES = ("Snakefile", "profiles", "workflow", "config", "envs", "resources")
SMALL = REPOSITORY / "tests" / "integration" / "config.yaml"


def copy_sources(root: Path) -> None:
    """Copy what the workflow is made of."""
    root.mkdir(parents=True)
    for name in SOURCES:
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, root / name, ignore=shutil.ignore_patterns("*.pyc.*"))  # those being written
        elif source.exists():
            shutil.copy2(source, root / name)


def small_config(*methods: str) -> dict[str, Any]:
    """Return the small experiment; if methods are named with these only, each at its learning rate and one seed."""
    values = yaml.safe_load(SMALL.read_text(encoding="utf-8"))
    if methods:
        values["methods"] = {name: {"learning_rate": values["methods"][name]["learning_rate"]} for name in methods}
    return values


class WorkflowCopy:
    """The workflow in `root`; `values` is its configuration."""

    def __init__(self, root: Path, values: dict[str, Any], environment: dict[str, str] | None = None) -> None:
        self.root = root
        self.environment = environment or dict(os.environ)
        if not root.exists():
            copy_sources(root)
        self.configure(values)

    def configure(self, values: dict[str, Any]) -> None:
        """Replace the configuration."""
        # Imported here: the plan tests start processes that import this module, and that must find the copy's library first.
        from lossgeometry.experiment.loading import load_config

        self.values = values
        self.config = load_config(values)
        self.results = self.root / "results" / self.config.experiment
        (self.root / "config.yaml").write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")

    def clone(self, root: Path) -> "WorkflowCopy":
        """Copy everything, results included, with its times."""
        shutil.copytree(self.root, root)
        return type(self)(root, self.values, self.environment)

    def path(self, name: str) -> str:
        """Return a result's path as Snakemake is given it."""
        return str((self.results / name).relative_to(self.root))

    @contextmanager
    def running(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """Run Snakemake beside the body, its words going to `said`; it does not outlive the body."""
        command = [sys.executable, "-m", "snakemake", *arguments, "--configfile", "config.yaml"]
        with (self.root / "said").open("w", encoding="utf-8") as output:
            controller = subprocess.Popen(
                command, cwd=self.root, env=self.environment, stdout=output, stderr=subprocess.STDOUT, text=True
            )
        try:
            yield controller
        finally:
            controller.kill()
            controller.wait()

    def said(self) -> str:
        """Return what the last call of Snakemake said, the logs of failed jobs included."""
        return (self.root / "said").read_text(encoding="utf-8")

    def run(self, *arguments: str, seconds: float = 900) -> str:
        """Run Snakemake to its success and return what it said."""
        with self.running(*arguments) as controller:
            code = controller.wait(seconds)
        assert code == 0, f"Snakemake ended with {code}:\n{self.said()[-8000:]}"
        return self.said()

    def fail(self, *arguments: str, seconds: float = 900) -> str:
        """Run Snakemake to its failure and return what it said."""
        with self.running(*arguments) as controller:
            code = controller.wait(seconds)
        assert code not in (0, None), f"Snakemake succeeded:\n{self.said()[-8000:]}"
        return self.said()
