"""The checked configuration, and what the rules share: paths, parameters and lists of files."""

import os
import re
import sys
from functools import cache
from pathlib import Path

from snakemake.logging import logger

from lossgeometry import jobs, preloading
from lossgeometry.code_digests import code_digests, is_package
from lossgeometry.errors import ChangedCode, ConfigError
from lossgeometry.experiment.checks import note_on_directions
from lossgeometry.experiment.layers import DEFAULT, over_default, read_layer
from lossgeometry.experiment.loading import load_config, planned_config
from lossgeometry.experiment.runs import BASE
from lossgeometry.files.text import printable
from lossgeometry.gpus import list_gpus
from lossgeometry.planning.progress import follow
from lossgeometry.planning.reasons import shorten_logged
from lossgeometry.planned import freeze, search_first, thaw, variable_of
from lossgeometry.students import sources
from lossgeometry.updates.folders import require_folders, update_files

search_first(LIBRARY)
# Named by the module that includes this workflow, so that a workflow can include it twice.
VARIABLE = variable_of(__name__)


def refuse(error):
    sys.exit(printable(f"The configuration cannot run. {error}."))


def lies_over_default():
    """Return whether the default configuration lies under what is given: files that are no whole experiment."""
    if __name__ is not None:  # a module is given its configuration
        return "experiment" not in config
    return over_default(map(read_layer, workflow.config_settings.configfiles)) and bool(
        read_layer(Path(HOME) / DEFAULT)
    )


# Only the main process reads the configuration; its jobs, wherever and whenever they start, are handed what it planned.
try:
    PARTIAL = workflow.is_main_process and lies_over_default()
except ConfigError as error:
    refuse(error)

if PARTIAL:

    configfile: workflow.source_path("../../config/config.yaml")


if workflow.is_main_process:
    try:
        CONFIG = load_config({key: value for key, value in config.items()})
        require_folders(CONFIG.folders)
        sources.require_file(CONFIG.student)
    except ConfigError as error:
        refuse(error)
    parts = jobs.rollouts.finished_parts(Path(f"results/{CONFIG.experiment}/rollouts/shards")) or CONFIG.rollouts.shards
    CONFIG = CONFIG.model_copy(update={"rollouts": CONFIG.rollouts.model_copy(update={"shards": parts})})
    logger.addFilter(shorten_logged)
    if CONFIG.trained and (note := note_on_directions(CONFIG.geometry, CONFIG.lora)):
        print(f"Note: {note}.", file=sys.stderr)
    os.environ[VARIABLE] = freeze(CONFIG.model_dump(mode="json", by_alias=True))
    if __name__ is None:  # no module: the files of a workflow around this one are its own
        workflow.config_settings.configfiles = []
else:
    try:
        PLAN = thaw(os.environ[VARIABLE])
    except ChangedCode as error:
        sys.exit(printable(f"error: {error}"))
    CONFIG = planned_config(PLAN["config"])


envvars:
    VARIABLE,


# Jobs on this machine start as forks of processes that have done their imports.
onstart:
    follow(workflow)
    # Under any limit of jobs a second Snakemake 9.27 looks at all waiting jobs again a second after every look, and each job that
    # ends adds a look: with hundreds of jobs it is all that the main process does. No machine alone reaches the default.
    limit = getattr(workflow.scheduler, "job_rate_limiter", None)
    if workflow.local_exec and limit and (limit.max_jobs, limit.timespan) == (100, 1):
        workflow.scheduler.job_rate_limiter = None
    if workflow.local_exec and not workflow.deployment_settings.deployment_method:
        for kind, imported in preloading.IMPORTED.items():
            preloading.start(kind, imported)


# Where Snakemake installs the environments of jobs, their files are what it compares, and no package here is what a job uses.
DEPLOYED = bool(workflow.deployment_settings.deployment_method)


def planned_code(*files):
    """Return the digests of the code that a job runs, as they were when it was planned; see `code_digests`."""
    digests = {name: code for name, code in code_digests(*files).items() if not (DEPLOYED and is_package(name))}
    return digests if workflow.is_main_process else {name: PLAN["code"].get(name, "") for name in digests}


# Jobs on this machine share its GPUs, however many cores there are; elsewhere the scheduler counts, and --resources goes first.
if workflow.is_main_process and workflow.local_exec and "gpu" not in workflow.global_resources:
    GPUS = len(list_gpus())
    if GPUS >= CONFIG.training.processes:  # with fewer the job says so; here it would be scaled down in silence
        workflow.register_resource("gpu", GPUS)

# Where many jobs could run: first what others wait for, then comparisons, so that the last ones are the short ones.
FIRST, BEFORE_ANSWERS = 2, 1

CPU = "../../envs/cpu.yaml"
GPU = "../../envs/gpu.yaml"

TRAINED = [run.id for run in CONFIG.trained]
# Also the snapshots that no stage names.
KNOWN = {snapshot.id: snapshot for kept in CONFIG.snapshots.values() for snapshot in kept} | CONFIG.runs


wildcard_constraints:
    run="[^/]+",
    a="[^/]+",
    b="[^/]+",
    benchmark="[A-Za-z0-9_-]+",
    set="[A-Za-z0-9_-]+",
    seed="[0-9]+",
    scatteritem="[0-9]+-of-[0-9]+",


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


def rollout_files(wildcards):
    """Return the rollouts as text and as tokens; nothing for a method that samples for itself."""
    names = ("rollouts", "tokens") if jobs.training.is_offline(CONFIG, wildcards.run) else ()
    return {name: results(f"rollouts/{name}.parquet") for name in names}


def student_folder():
    return results("models/student")


def teacher_folder():
    return results("models/teacher")


def given(file):
    """Return a file of the user's as an input: it lies where its name says, below no module's prefix and in no storage."""
    return local(str(file))


def manifest(folder):
    """Return the file that lists the digests of a model folder. Jobs depend on it: a folder's date changes with every copy."""
    return f"{folder}.json"


def model(role, folder):
    """Return the named inputs of a job that reads a model: its folder, whatever its date, and its manifest."""
    return {role: ancient(folder), f"{role}_manifest": manifest(folder)}


def model_manifests():
    """Return the manifests of this experiment's models: the student, and the teacher where it is sampled here."""
    sampled = TRAINED and not CONFIG.rollouts.file and CONFIG.teacher.source not in ("endpoint", "generated")
    return list(map(manifest, [student_folder()] + ([teacher_folder()] if sampled else [])))


def source_files(source):
    """Return the files on disk that a model is made of: they may change in place."""
    return list(map(given, sources.source_files(source)))


@cache
def adapter_inputs(run):
    """Return the files that a job which uses a run's update depends on; none for the base.

    They are the user's own where the folder exists, else trained or made here, or fetched from the hub.
    """
    if run == BASE:
        return []
    known = KNOWN[run]
    if known.origin == "untrained":
        return list(map(str, update_files(results(f"initialisations/s{known.init_seed}"))))
    folder = known.folder
    if folder and Path(folder).is_dir():
        return list(map(given, update_files(folder)))
    return list(map(str, update_files(results(f"adapters/{run}"))))


def adapter_files():
    return [results(f"adapters/{run}/adapter_model.safetensors") for run in TRAINED]


def row_files(stage, pairs):
    """Return the archives of the rows that hold some pairs; a job makes the row of a run with the runs before it."""
    return [results(f"rows/{run}/{stage}.zip") for run in jobs.pairs.rows(pairs)]


def row_adapters(rows, run):
    """Return the files of the updates in a run's row, by run."""
    return {end: adapter_inputs(end) for end in [*rows[run], run]}


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
    return given(source.name) if source.source == "file" else []


def other_text():
    """Return the text of another skill: the user's passages, or problems with their solutions; none where there is neither."""
    if not CONFIG.forgets:
        return []
    if CONFIG.forgetting.text:
        return given(CONFIG.forgetting.text)
    benchmark = CONFIG.forgetting.benchmark
    return results(f"prompts/{benchmark}.jsonl") if CONFIG.evaluation.benchmarks[benchmark].has_solutions else []


def initialisation(run, name):
    """Return a file of the adapter that a run starts from."""
    return results(f"initialisations/s{CONFIG.runs[run].init_seed}/{name}")


def figure_files():
    """Return the publication figures, as `rules/explore.smk` lists them."""
    return [results(f"figures/{figure.name}.{suffix}") for suffix in SUFFIXES for figure in FIGURES]
