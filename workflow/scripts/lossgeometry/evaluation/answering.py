"""Answers of the base or of one adapter to the benchmarks."""

import tempfile
from pathlib import Path
from typing import Any

from lossgeometry.files.jsonl import read_lines
from lossgeometry.files.resuming import checkpoint_root
from lossgeometry.generation.engines import make_engine
from lossgeometry.generation.generate import generate_resumably
from lossgeometry.generation.requests import evaluation_requests
from lossgeometry.generation.zero_adapter import write_zero
from lossgeometry.provenance import digest_of, digest_of_files
from lossgeometry.settings.rollouts import Engine
from lossgeometry.settings.tasks import Answers


def answer(
    task: Answers,
    speed: dict[str, Any],
    code: dict[str, str],
    student: Path,
    adapter: Path | None,
    prompts: list[Path],
    outputs: list[Path],
) -> None:
    """Write the completions of one run on one or several benchmarks, with one load of the engine.

    Parameters
    ----------
    task
        Prompt suffix, decoding, engine and seed.
    speed
        Keys of the engine on which no result depends: they may change while a job is continued.
    adapter
        PEFT folder; None for the base.
    prompts, outputs
        Problems and completions, one file per benchmark.
    """
    sampling, engine = task.sampling, Engine.from_told({**task.engine, **speed})
    loaded: list[Any] = []

    def load_engine():
        if not loaded:
            served = adapter
            if adapter is None and engine.name == "vllm":
                # Adapters are applied unmerged, by kernels of their own, whose rounding the base is to share.
                served = write_zero(student, Path(scratch))
            loaded.append(make_engine(engine, student, served, task.prompt_suffix, sampling.max_new_tokens))
        return loaded[0]

    with tempfile.TemporaryDirectory() as scratch:
        for problems, output in zip(prompts, outputs, strict=True):
            requests = evaluation_requests(list(read_lines(problems)), task.greedy, task.samples, task.seed)
            inputs = [problems, student, *([adapter] if adapter else [])]
            generate_resumably(
                requests,
                sampling,
                load_engine,
                engine.batch_size,
                checkpoint_root(output.parent.parent.parent, "answers", f"{output.parent.name}.{output.stem}"),
                digest_of([task.told(), code, digest_of_files(inputs)]),
                output,
            )
