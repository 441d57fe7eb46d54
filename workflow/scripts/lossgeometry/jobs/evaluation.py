"""What the jobs of the answers are told."""

from lossgeometry.experiment.config import Config
from lossgeometry.jobs.blocks import Told, decisive, engine_path, only


def answers(config: Config) -> Told:
    """Return what the answers of one run depend on."""
    told = only(config.evaluation, "greedy", "samples", "sampling", "seed")
    return {"prompt_suffix": config.prompt_suffix, "engine": decisive(config.evaluation.engine), **told}


def speed(config: Config) -> Told:
    """Return what the speed of answering depends on."""
    return only(config.evaluation.engine, *config.evaluation.engine.speed_keys)


def modules(config: Config) -> list[str]:
    """Return the engine that answers."""
    return [engine_path(config.evaluation.engine.name)]


def accuracy_table(config: Config) -> Told:
    """Return what the tables of accuracies depend on beside the verdicts: the runs that answer, and the pairs of those."""
    answering = set(config.evaluated)
    return {
        "runs": [run.told() for run in config.runs.values() if run.id in answering],
        "benchmarks": list(config.evaluation.benchmarks),
        "pairs": [list(pair) for pair in config.pairs if answering.issuperset(pair)],
        "margin": config.evaluation.margin,
    }
