"""The checked configuration, and what the rules share: paths, parameters and lists of files."""

import os
import sys
from os.path import relpath
from pathlib import Path

# The library beside these rules, even where another copy of it is installed.
LIBRARY = f"{workflow.basedir}/workflow/scripts"
sys.path.insert(0, LIBRARY)

from lossgeometry import jobs
from lossgeometry.code_digests import code_digests
from lossgeometry.errors import ChangedCode, ConfigError
from lossgeometry.experiment.config import load_config, planned_config
from lossgeometry.experiment.runs import BASE, pair_id
from lossgeometry.files.text import printable
from lossgeometry.planned import VARIABLE, freeze, search_first, thaw
from lossgeometry.provenance import digest_of_file
from lossgeometry.students.files import model_files
from lossgeometry.updates.folders import require_sources, update_files

search_first(LIBRARY)

# Only the main process reads the configuration; its jobs, wherever and whenever they start, are handed what it planned.
if workflow.is_main_process:
    try:
        CONFIG = load_config({key: value for key, value in config.items()})
        require_sources(CONFIG.adapters)
    except ConfigError as error:
        sys.exit(printable(f"The configuration cannot run. {error}."))
    os.environ[VARIABLE] = freeze(CONFIG.model_dump(mode="json", by_alias=True))
    workflow.config_settings.configfiles = []
else:
    try:
        PLAN = thaw(os.environ[VARIABLE])
    except ChangedCode as error:
        sys.exit(printable(f"error: {error}"))
    CONFIG = planned_config(PLAN["config"])


envvars:
    VARIABLE,


def planned_code(*files):
    """Return the digests of the code that a job runs, as they were when it was planned; see `code_digests`."""
    digests = code_digests(*files)
    return digests if workflow.is_main_process else {name: PLAN["code"].get(name, "") for name in digests}


CPU = "../../envs/cpu.yaml"
GPU = "../../envs/gpu.yaml"

TRAINED = [run.id for run in CONFIG.trained]


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


def student_folder():
    return results("models/student")


def teacher_folder():
    return results("models/teacher")


def manifest(folder):
    """Return the file that lists the digests of a model folder. Jobs depend on it: a folder's date changes with every copy."""
    return f"{folder}.json"


def model(role, folder):
    """Return the named inputs of a job that reads a model: its folder, whatever its date, and its manifest."""
    return {role: ancient(folder), f"{role}_manifest": manifest(folder)}


def model_manifests():
    """Return the manifests of this experiment's models: the student, and the teacher where it is sampled here."""
    sampled = TRAINED and not CONFIG.rollouts.file and CONFIG.teacher.source != "endpoint"
    return list(map(manifest, [student_folder()] + ([teacher_folder()] if sampled else [])))


def source_files(source):
    """Return the files that a model is linked from, where it is a folder: its weights may change in place."""
    return list(map(str, model_files(source.name))) if source.source == "folder" else []


def adapter_folder(run):
    """Return the folder of a run's adapter: the user's own where it exists, else trained or made here, or fetched from the hub."""
    if CONFIG.runs[run].origin == "untrained":
        return results(f"initialisations/s{CONFIG.runs[run].init_seed}")
    folder = CONFIG.runs[run].folder
    return folder if folder and Path(folder).is_dir() else results(f"adapters/{run}")


def adapter_inputs(run):
    """Return the files that a job which uses a run's update depends on; none for the base."""
    return [] if run == BASE else list(map(str, update_files(adapter_folder(run))))


def adapter_files():
    return [results(f"adapters/{run}/adapter_model.safetensors") for run in TRAINED]


def pair_files(name, pairs=None):
    """Return one file of every given pair; by default of every pair of the experiment."""
    return [results(f"pairs/{pair_id(a, b)}/{name}") for a, b in (CONFIG.pairs if pairs is None else pairs)]


def evaluation_files(runs=None):
    """Return the graded answers of the given runs; by default of the base and every run."""
    return [
        results(f"evaluation/{run}/{benchmark}.jsonl")
        for run in (CONFIG.evaluated if runs is None else runs)
        for benchmark in CONFIG.evaluation.benchmarks
    ]


def module_path(name):
    """Return the file of a module of the library, below workflow/scripts."""
    return f"lossgeometry/{name.replace('.', '/')}.py"


def one_of(names):
    """Return the constraint of a wildcard to these names; to nothing where there is none."""
    return "|".join(names) or "(?!)"


def problem_file(name):
    """Return the user's file that a set of problems is read from; none for a data set of the hub."""
    source = jobs.grading.problem_source(CONFIG, name)
    return source.name if source.source == "file" else []


def initialisation(run, name):
    """Return a file of the adapter that a run starts from."""
    return results(f"initialisations/s{CONFIG.runs[run].init_seed}/{name}")


def figure_files():
    """Return the publication figures, as `rules/explore.smk` lists them."""
    return [results(f"figures/{figure.name}.{suffix}") for suffix in SUFFIXES for figure in FIGURES]
