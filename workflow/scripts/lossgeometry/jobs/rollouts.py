"""What the jobs of the problems and the rollouts are told."""

from pathlib import Path

from lossgeometry.experiment.config import Config
from lossgeometry.grading.graders import DEFAULT
from lossgeometry.jobs.blocks import Told, decisive, engine_path, only
from lossgeometry.jobs.grading import ROLLOUT_SETS, problem_source, verdicts
from lossgeometry.jobs.teacher import bought
from lossgeometry.settings.models import Problems


def problem_sets(config: Config, *sources: str) -> list[str]:
    """Return the sets of problems that come from one of these kinds of source."""
    names = [*([] if config.rollouts.file else ROLLOUT_SETS), *config.evaluation.benchmarks, "probe"]
    found = {name: problem_source(config, name) for name in names}
    return [name for name, problems in found.items() if problems and problems.source in sources]


def problems(config: Config, name: str) -> Told:
    """Return what a set of problems depends on; `train` and `heldout` are two parts of one source."""
    source = _source(config, name)
    told = {"part": "benchmark", **source.told()}
    if name in ROLLOUT_SETS:
        told["part"] = name
        if name == "heldout" or not source.count:  # all problems but so many
            told["heldout_count"] = config.rollouts.heldout_prompts
    if source.source == "generated":  # gold answers are right as they are made
        return told
    return told | verdicts(config, name)


def problem_modules(config: Config, name: str) -> list[str]:
    """Return the schema that a set of problems is read by; generated problems have none."""
    source = _source(config, name)
    return [] if source.source == "generated" else [_schema_path(source.schema_)]


def _source(config: Config, name: str) -> Problems:
    source = problem_source(config, name)
    assert source, "imported rollouts bring their problems"
    # Generated problems have the right answers as they are made: no grader concerns them.
    return source.model_copy(update={"grader": DEFAULT}) if source.source == "generated" else source


def import_modules() -> list[str]:
    """Return the schema of the problems of imported rollouts."""
    return [_schema_path("plain")]


def _schema_path(name: str) -> str:
    return f"lossgeometry/problems/schemas/{name}.py"


def imported(config: Config) -> Told:
    """Return what the rollouts of a file depend on beside the file."""
    return only(config.rollouts, "heldout_prompts", "seed") | verdicts(config, "train")


def sampled(config: Config) -> Told:
    """Return what the teacher's completions depend on."""
    return {
        "prompt_suffix": config.prompt_suffix,
        "samples_per_prompt": config.rollouts.samples_per_prompt,
        "sampling": config.rollouts.sampling.told(),
        "engine": decisive(config.rollouts.engine),
        "seed": config.rollouts.seed,
    }


def written(config: Config) -> Told:
    """Return what the completions of the generated teacher depend on."""
    return only(config.rollouts, "samples_per_prompt", "seed") | only(config.rollouts.engine, "right", "mixed")


def finished_parts(folder: Path) -> int:
    """Return the number of parts that completions lie in, complete, or 0: split in another way they would be the same."""
    there = {file.stem for file in folder.glob("*-of-*.jsonl")}
    numbers = sorted({int(name.rpartition("-")[2]) for name in there})
    whole = (n for n in numbers if there >= {f"{part}-of-{n}" for part in range(1, n + 1)})
    return next(whole, 0)


def sampling_modules(config: Config) -> list[str]:
    """Return the engine that samples the teacher."""
    return [engine_path(config.rollouts.engine.name)]


def sampling_speed(config: Config) -> Told:
    """Return what the speed of sampling the teacher depends on."""
    return only(config.rollouts.engine, *config.rollouts.engine.speed_keys)


def graded(config: Config) -> Told:
    """Return what the verdicts on the rollouts depend on."""
    return solutions(config) | bought(config)


def solutions(config: Config) -> Told:
    """Return what the verdicts on the held-out solutions depend on."""
    told = verdicts(config, "train") | ({"pretend": True} if config.smoke else {})
    return told | ({"teacher": only(config.rollouts.engine, "max_refused")} if bought(config) else {})
