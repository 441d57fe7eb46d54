"""The engine that a configuration names, imported only when it is used."""

from pathlib import Path

from lossgeometry.generation.requests import Engine as GenerationEngine
from lossgeometry.settings.rollouts import Engine


def make_engine(
    engine: Engine, model: Path | str, adapter: Path | None, prompt_suffix: str, max_new_tokens: int
) -> GenerationEngine:
    """Return an engine with its model loaded.

    Parameters
    ----------
    model
        A model folder, or the name that an endpoint knows the model by.
    adapter
        PEFT folder of the adapter to apply unmerged; None for the model itself.
    max_new_tokens
        Largest token budget that will be asked for, by which an engine may size its cache.
    """
    if engine.name == "vllm":
        from lossgeometry.generation.engines.vllm import VllmEngine

        return VllmEngine(Path(model), adapter, prompt_suffix, engine, max_new_tokens)
    if engine.name == "openai":
        from lossgeometry.generation.engines.openai import OpenAIEngine

        return OpenAIEngine(str(model), prompt_suffix, engine)
    from lossgeometry.generation.engines.transformers import TransformersEngine

    return TransformersEngine(Path(model), adapter, prompt_suffix, engine.batch_size)
