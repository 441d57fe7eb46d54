"""Engines by name: one module each, loaded only where it is used, so that an engine concerns no job that does not use it."""

import importlib
from pathlib import Path
from typing import Any

from lossgeometry.generation.requests import Engine as GenerationEngine
from lossgeometry.settings.rollouts import Engine


def engine_module(name: str) -> Any:
    """Return the module of an engine.

    It has ``load(model, adapter, prompt_suffix, engine, max_new_tokens)``, with the parameters of `make_engine`.
    """
    return importlib.import_module(f"lossgeometry.generation.engines.{name}")


def make_engine(
    engine: Engine, model: Path | str, adapter: Path | None, prompt_suffix: str, max_new_tokens: int
) -> GenerationEngine:
    """Return an engine with its model loaded.

    Parameters
    ----------
    model
        A model folder. An endpoint is asked by a rule of its own, see `rollouts.asking`.
    adapter
        PEFT folder of the adapter to apply; None for the model itself.
    max_new_tokens
        Largest token budget that will be asked for, by which an engine may size its cache.
    """
    return engine_module(engine.name).load(model, adapter, prompt_suffix, engine, max_new_tokens)
