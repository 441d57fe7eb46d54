"""What the jobs of a teacher behind an endpoint are told."""

from typing import Any

from lossgeometry.experiment.config import Config


def asked(config: Config) -> dict[str, Any]:
    """Return what the answers of the endpoint depend on."""
    rollouts = config.rollouts.model_dump(mode="json")
    return {
        "model": config.teacher.name,
        "base_url": rollouts["engine"]["base_url"],
        "prompt_suffix": config.prompt_suffix,
        "sampling": rollouts["sampling"],
        "body": rollouts["engine"]["body"],
        "seed": rollouts["seed"],
    }


def completed(config: Config) -> dict[str, Any]:
    """Return what the completions depend on: the answers, how many, and what becomes of their reasoning."""
    engine = config.rollouts.engine
    template = {"reasoning_template": engine.reasoning_template} if engine.reasoning == "keep" else {}
    return asked(config) | {
        "samples_per_prompt": config.rollouts.samples_per_prompt,
        "reasoning": engine.reasoning,
        **template,
    }


def speed(config: Config) -> dict[str, Any]:
    """Return what no completion depends on: how many requests are in flight, how long each may take, where the key is."""
    engine = config.rollouts.engine
    return {key: getattr(engine, key) for key in (*engine.speed_keys, "key_variable", "max_refused")}


def bought(config: Config) -> dict[str, Any]:
    """Return what the record of the answers depends on; empty where no endpoint is sampled."""
    engine = config.rollouts.engine
    if engine.name != "openai" or config.rollouts.file:
        return {}
    prices = engine.prices.model_dump(mode="json") if engine.prices else None
    return {"teacher": {"asked": completed(config), "max_refused": engine.max_refused, "prices": prices}}
