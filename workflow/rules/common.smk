"""The checked configuration, and what the rules share: paths, parameters and lists of files."""

import sys
from os.path import relpath
from pathlib import Path

sys.path.insert(0, f"{workflow.basedir}/workflow/scripts")

from lossgeometry.errors import ConfigError
from lossgeometry.experiment.config import load_config
from lossgeometry.methods import method_module
from lossgeometry.provenance import code_digests, digest_of_file
from lossgeometry.experiment.runs import BASE, pair_id
from lossgeometry.text import printable

try:
    CONFIG = load_config({key: value for key, value in config.items()})
except ConfigError as error:
    sys.exit(printable(f"The configuration cannot run. {error}."))

CPU = "../../envs/cpu.yaml"
GPU = "../../envs/gpu.yaml"

# Prompt sets that are not benchmarks: `train` is what rollouts are sampled for, `heldout` only serves as reference.
ROLLOUT_SETS = ["train", "heldout"]
TRAINED = [run.id for run in CONFIG.runs.values() if not run.external]
EVALUATED = [BASE, *CONFIG.runs] if CONFIG.evaluation.benchmarks else []


wildcard_constraints:
    run="[^/]+",
    a="[^/]+",
    b="[^/]+",
    benchmark="[A-Za-z0-9_-]+",
    set="[A-Za-z0-9_-]+",
    seed="[0-9]+",


def results(path):
    """Return a path below this experiment's results."""
    return f"results/{CONFIG.experiment}/{path}"


def reported(name):
    """Return a table's path, marked for `snakemake --report`."""
    caption = f"../../resources/captions/table_{name}.rst"
    return report(results(f"tables/{name}.csv"), caption=caption, category="Tables", labels={"table": name})


def log_of(path):
    return results(f"logs/{path}.log")


def benchmark_of(path):
    return results(f"benchmarks/{path}.tsv")


def plain(block):
    """Return a configuration block as built-in types, which Snakemake records and compares."""
    return block.model_dump(mode="json", by_alias=True)


def run_of(wildcards):
    return CONFIG.runs[wildcards.run]


def student_folder():
    return results("models/student")


def model_folders():
    """Return the model folders of this experiment: the student, and the teacher where it is sampled here."""
    sampled = TRAINED and not CONFIG.rollouts.file and CONFIG.teacher.source != "endpoint"
    return [student_folder()] + ([teacher_folder()] if sampled else [])


def teacher_folder():
    return results("models/teacher")


def adapter_folder(run):
    """Return the folder of a run's adapter: the user's own where it exists, else trained here or fetched from the hub."""
    folder = CONFIG.runs[run].folder
    return folder if folder and Path(folder).is_dir() else results(f"adapters/{run}")


def adapter_inputs(run):
    """Return the files that a job which uses a run's adapter depends on; none for the base."""
    if run == BASE:
        return []
    return [f"{adapter_folder(run)}/adapter_model.safetensors", f"{adapter_folder(run)}/adapter_config.json"]


def adapter_files():
    return [results(f"adapters/{run}/adapter_model.safetensors") for run in TRAINED]


def pair_files(name, pairs=None):
    """Return one file of every given pair; by default of every pair of the experiment."""
    return [results(f"pairs/{pair_id(a, b)}/{name}") for a, b in (CONFIG.pairs if pairs is None else pairs)]


def evaluation_files(runs=None):
    """Return the graded answers of the given runs; by default of the base and every run."""
    return [
        results(f"evaluation/{run}/{benchmark}.jsonl")
        for run in (EVALUATED if runs is None else runs)
        for benchmark in CONFIG.evaluation.benchmarks
    ]
