"""What the other modules here are made of."""

from typing import Any

from lossgeometry.settings.block import Block
from lossgeometry.settings.rollouts import Engine

Told = dict[str, Any]


def only(block: Block, *keys: str) -> Told:
    """Return some keys of what a job is told of a block; a key at its neutral value is left out."""
    values = block.told()
    return {key: values[key] for key in keys if key in values}


def decisive(engine: Engine) -> Told:
    """Return the keys of an engine that a completion depends on."""
    return {key: value for key, value in engine.told().items() if key not in engine.speed_keys}


def engine_path(name: str) -> str:
    """Return the module of an engine, as `code_digests` takes it."""
    return f"lossgeometry/generation/engines/{name}.py"
