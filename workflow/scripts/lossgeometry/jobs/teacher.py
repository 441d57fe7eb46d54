"""What the jobs of a teacher behind an endpoint are told."""

from lossgeometry.experiment.config import Config
from lossgeometry.jobs.blocks import Told, only


def asked(config: Config) -> Told:
    """Return what the answers of the endpoint depend on."""
    return {
        "model": config.teacher.name,
        "prompt_suffix": config.prompt_suffix,
        **only(config.rollouts.engine, "base_url", "body"),
        **only(config.rollouts, "sampling", "seed"),
    }


def completed(config: Config) -> Told:
    """Return what the completions depend on: the answers, how many, and what becomes of their reasoning."""
    engine = config.rollouts.engine
    keys = ("reasoning", "reasoning_template") if engine.reasoning == "keep" else ("reasoning",)
    return asked(config) | only(config.rollouts, "samples_per_prompt") | only(engine, *keys)


def speed(config: Config) -> Told:
    """Return what no completion depends on: how many requests are in flight, how long each may take, where the key is."""
    engine = config.rollouts.engine
    return only(engine, *engine.speed_keys, "key_variable", "max_refused")


def bought(config: Config) -> Told:
    """Return what the record of the answers depends on; empty where no endpoint is sampled."""
    engine = config.rollouts.engine
    if engine.name != "openai" or config.rollouts.file:
        return {}
    return {"teacher": {"asked": completed(config), **only(engine, "max_refused", "prices")}}
