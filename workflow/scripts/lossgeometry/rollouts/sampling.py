"""Sampling the teacher."""

from pathlib import Path
from typing import Any

from lossgeometry.files.jsonl import read_lines
from lossgeometry.files.resuming import checkpoint_root
from lossgeometry.generation.engines import make_engine
from lossgeometry.generation.generate import generate_resumably
from lossgeometry.generation.requests import rollout_requests
from lossgeometry.provenance import digest_of, digest_of_files
from lossgeometry.settings.rollouts import Engine
from lossgeometry.settings.tasks import SampledRollouts


def sample_rollouts(
    task: SampledRollouts,
    speed: dict[str, Any],
    code: dict[str, str],
    teacher: Path,
    prompts: Path,
    shard: tuple[int, int],
    output: Path,
) -> None:
    """Write the completions of one shard of the prompts: every prompt whose number is `shard[0]` modulo `shard[1]`.

    Parameters
    ----------
    task
        Prompt suffix, samples per prompt, sampling, engine and seed.
    speed
        Keys of the engine on which no result depends: they may change while a job is continued.
    teacher
        Model folder.
    prompts
        File of problems.
    """
    problems = list(read_lines(prompts))[shard[0] :: shard[1]]
    sampling, engine = task.sampling, Engine.from_told({**task.engine, **speed})
    digest = digest_of([task.told(), code, shard, digest_of_files([prompts, teacher])])
    generate_resumably(
        rollout_requests(problems, task.samples_per_prompt, task.seed),
        sampling,
        lambda: make_engine(engine, teacher, None, task.prompt_suffix, sampling.max_new_tokens),
        engine.batch_size,
        checkpoint_root(output.parent.parent.parent, "rollouts", output.stem),
        digest,
        output,
    )
