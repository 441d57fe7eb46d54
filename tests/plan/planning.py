"""A copy of the real workflow, brought to the state of a finished experiment without running a job.

Every plan is made by Snakemake itself in a process of its own, forked from a server that has imported Snakemake but
nothing of this library: an edited module of the copy is seen, as by a new call of `snakemake`.
"""

import copy
import multiprocessing
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import yaml
from processes import ForkServer
from workflow_copy import copy_sources

CONFIG = "config/plan.yaml"
METHODS = ("sft", "dft", "dpo")
SEEDS = ("42", "43")
EVERY_PAIR = {"methods": True, "seeds": True, "learning_rates": True, "adapters": True}
EXPERIMENT: dict[str, Any] = {
    "experiment": "plan",
    "student": {"source": "tiny"},
    "teacher": {"source": "tiny", "tiny": {"seed": 7}},
    "prompts": {"source": "generated", "count": 64, "seed": 1},
    "rollouts": {"samples_per_prompt": 4, "shards": 2},
    "training": {"steps": 8},
    "seeds": [42, 43],
    "methods": {
        "sft": {"learning_rate": 1e-3},
        "dft": {"learning_rate": 1e-3},
        "dpo": {"learning_rate": 1e-4, "options": {"beta": 0.1}},
    },
    "connectivity": {"comparisons": EVERY_PAIR},
    "representations": {"comparisons": EVERY_PAIR},
    "evaluation": {
        "controls": False,
        "benchmarks": {
            "easy": {"source": "generated", "difficulty": "reachable", "count": 8, "seed": 2},
            "hard": {"source": "generated", "difficulty": "hard", "count": 8, "seed": 2},
        },
    },
}

Plan = dict[str, list[str]]
PARSED = Path(".snakemake/lossgeometry/parsed_code.json")
_parsed: list[bytes] = []
"""What the first plan of this process read from the library's files, by their contents: later copies need not read them again."""
_server = ForkServer("ready_to_plan")


class Project:
    """The workflow in `root`, with an experiment of its own."""

    def __init__(self, root: Path, experiment: dict[str, Any] = EXPERIMENT) -> None:
        self.root = root
        self.experiment = copy.deepcopy(experiment)
        self.outputs: list[Path] = []

    @classmethod
    def create(cls, root: Path, experiment: dict[str, Any] = EXPERIMENT) -> "Project":
        """Copy the repository's workflow and write the experiment."""
        copy_sources(root)
        if _parsed:
            (root / PARSED).parent.mkdir(parents=True)
            (root / PARSED).write_bytes(_parsed[0])
        project = cls(root, experiment)
        project.write()
        return project

    def clone(self, root: Path) -> "Project":
        """Copy everything, results included, with its times."""
        shutil.copytree(self.root, root)
        project = Project(root, self.experiment)
        project.outputs = list(self.outputs)
        return project

    def write(self) -> None:
        """Write the experiment's configuration."""
        (self.root / CONFIG).write_text(yaml.safe_dump(self.experiment, sort_keys=False), encoding="utf-8")

    def set(self, path: str, value: Any) -> None:
        """Change one key, such as `methods.dpo.options.beta`, and write the configuration."""
        *parents, key = path.split(".")
        block = self.experiment
        for parent in parents:
            block = block.setdefault(parent, {})
        block[key] = value
        self.write()

    def module(self, name: str) -> Path:
        """Return the copy's file of a library module, or of a script."""
        path = self.root / "workflow" / "scripts" / "lossgeometry" / name
        return path if path.exists() else self.root / "workflow" / "scripts" / name

    def plan(self, *arguments: str) -> Plan:
        """Return what would run: for each rule its jobs, each as its wildcards; one empty string where it has none.

        `arguments` are those of `snakemake`; by default the experiment's configuration.
        """
        jobs: Plan = {}
        for job in self.jobs(*arguments):
            jobs.setdefault(job["rule"], []).append(" ".join(job["wildcards"]))
        return jobs

    def jobs(self, *arguments: str) -> list[dict[str, Any]]:
        """Return the jobs that would run, as `plan` takes them."""
        jobs = _call(_planned, self.root, *(arguments or ("--configfile", str(self.root / CONFIG))))
        if not _parsed:
            _parsed.append((self.root / PARSED).read_bytes())
        return jobs

    def gpus(self) -> dict[str, int]:
        """Return the GPUs that a job of each planned rule asks for."""
        return {job["rule"]: job["gpus"] for job in self.jobs()}

    def finish(self) -> None:
        """Make every planned output, each with a content of its own, and let Snakemake record the jobs.

        Adapters are larger than the files whose checksums Snakemake compares by default.
        """
        for job in self.jobs():
            for output in map(self.root.joinpath, job["outputs"]):
                if output.suffix:
                    output.parent.mkdir(parents=True, exist_ok=True)
                    size = 1_500_000 if output.name == "adapter_model.safetensors" else 100
                    output.write_text(f"{output.relative_to(self.root)}".ljust(size), encoding="utf-8")
                else:
                    output.mkdir(parents=True)
                self.outputs.append(output.relative_to(self.root))
        _call(_touch, self.root)


def edit(path: Path, text: str = "\n\ndef added_by_a_test():\n    return 1\n") -> None:
    """Append code; with an old modification time, as a version control system or rsync may leave it."""
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")
    os.utime(path, (1_000_000_000, 1_000_000_000))


def _call(function, root: Path, *arguments: str):
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = _server.start(_answer, sender, function, root, *arguments)
    sender.close()
    try:
        return receiver.recv()
    except EOFError:
        raise AssertionError("Snakemake could not make a plan; its words are above") from None
    finally:
        process.join()


def _answer(sender, function, root: Path, *arguments: str) -> None:
    os.chdir(root)
    scripts = [path for path in sys.path if path.endswith("workflow/scripts")]
    sys.path[:] = [str(root / "workflow" / "scripts"), *(path for path in sys.path if path not in scripts)]
    sender.send(function(root, *arguments))


def _planned(root: Path, *arguments: str) -> list[dict[str, Any]]:
    from dataclasses import asdict

    from lossgeometry.planning.plan import plan

    return [asdict(job) for job in plan(root, arguments)]


def _touch(root: Path) -> None:
    from lossgeometry.planning.accepting import touch

    touch(root, ["--configfile", str(root / CONFIG), "--forceall", "--max-checksum-file-size", "100GB"])
