"""What the jobs that run the base with updates attached are told."""

from lossgeometry.experiment.config import Config
from lossgeometry.experiment.runs import BASE, RANDOM
from lossgeometry.jobs.blocks import Told, only
from lossgeometry.jobs.grading import verdicts


def _loss(config: Config) -> Told:
    keys = ("losses", "sequences", "precision", "tokens_per_batch")
    return {"prompt_suffix": config.prompt_suffix, **only(config.connectivity, *keys)}


def endpoint(config: Config, run: str) -> Told:
    """Return what the losses of one run depend on; the base is not shrunk towards itself."""
    return _loss(config) | {"shrink_points": [] if run == BASE else list(config.connectivity.shrink_points)}


def path(config: Config) -> Told:
    """Return what the losses between two runs depend on."""
    return _loss(config) | {"points": list(config.connectivity.points)}


def path_accuracy(config: Config) -> Told:
    """Return what the accuracy along a path depends on."""
    return {
        "points": list(config.connectivity.accuracy_points),
        "problems": config.connectivity.accuracy_problems,
        "prompt_suffix": config.prompt_suffix,
        "batch_size": config.evaluation.engine.batch_size,
        "max_new_tokens": config.evaluation.sampling.max_new_tokens,
        **verdicts(config, "probe"),
    }


def hidden_states(config: Config) -> Told:
    """Return what the hidden states of one run depend on."""
    keys = ("tokens", "sequence_tokens", "prompts", "prompt_pooling", "precision", "tokens_per_batch")
    return {"prompt_suffix": config.prompt_suffix, **only(config.representations, *keys)}


def hidden_state_pair(config: Config) -> Told:
    """Return what the similarity of two runs' hidden states depends on."""
    return only(config.representations, "estimators", "bootstrap", "seed")


def divergences(config: Config) -> Told:
    """Return what the distance between what two models write depends on."""
    decoding = "sampled" if config.evaluation.samples else "greedy"
    keys = ("problems", "precision", "tokens_per_batch")
    return {"prompt_suffix": config.prompt_suffix, "decoding": decoding, **only(config.behaviour, *keys)}


def departures(config: Config) -> Told:
    """Return what the distance between what the base and a run write depends on, on text of another skill too."""
    passages = only(config.forgetting, "passage_tokens") if config.forgetting.text else {}
    return divergences(config) | passages


def forgetting(config: Config) -> Told:
    """Return what the tables of forgetting depend on beside their files."""
    return {
        "benchmark": config.forgetting.benchmark,
        "runs": {
            run: {"method": _method(config, run), "kind": config.runs[run].origin}
            for run in config.behaving
            if run != BASE
        },
    }


def _method(config: Config, run_id: str) -> str:
    """Return what a run is left out with: the label of the run that its update was computed from; random directions are of
    no method."""
    run = config.runs[run_id]
    if run.control == RANDOM:
        return RANDOM
    return _method(config, run.sources[0]) if run.sources else run.label
