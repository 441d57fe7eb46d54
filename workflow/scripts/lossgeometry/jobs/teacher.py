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


def speed(config: Config, part: str) -> Told:
    """Return what no completion depends on: how many requests are in flight from one job (`heldout`, or `<number>-of-<shards>`),
    how long each may take, where the key is."""
    engine = config.rollouts.engine
    told = only(engine, "timeout_seconds", "key_variable", "max_refused")
    return told | {"batch_size": in_flight(engine.batch_size, config, part)}


def in_flight(total: int, config: Config, part: str) -> int:
    """Return a job's share of the requests in flight, so that all jobs together have `total` of them at most."""
    heldout = config.rollouts.heldout_prompts
    problems = heldout + (config.prompts.count if config.prompts else 0)
    shards = config.rollouts.shards
    apart = min(max(1, total * heldout // max(problems, 1)), total - shards)
    if part == "heldout":
        return apart
    number, rest = int(part.partition("-")[0]) - 1, total - apart
    return rest // shards + (number < rest % shards)


def bought(config: Config) -> Told:
    """Return what the record of the answers depends on; empty where no endpoint is sampled."""
    engine = config.rollouts.engine
    if engine.name != "openai" or config.rollouts.file:
        return {}
    return {"teacher": {"asked": completed(config), **only(engine, "max_refused", "prices")}}
