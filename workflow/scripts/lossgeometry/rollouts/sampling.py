"""Sampling the teacher."""

from pathlib import Path
from typing import Any

from lossgeometry.files.jsonl import read_lines
from lossgeometry.files.resuming import checkpoint_root
from lossgeometry.generation.engines import make_engine
from lossgeometry.generation.generate import generate_resumably
from lossgeometry.generation.requests import rollout_requests
from lossgeometry.provenance import digest_of, digest_of_files
from lossgeometry.settings.rollouts import Engine, Sampling


def sample_rollouts(
    cfg: dict[str, Any],
    speed: dict[str, Any],
    code: dict[str, str],
    teacher: Path,
    prompts: list[Path],
    shard: tuple[int, int],
    output: Path,
) -> None:
    """Write the completions of one shard of the prompts: every prompt whose number is `shard[0]` modulo `shard[1]`.

    Parameters
    ----------
    cfg
        Prompt suffix, samples per prompt, sampling, engine and seed.
    speed
        Keys of the engine on which no result depends: they may change while a job is continued.
    teacher
        Model folder.
    prompts
        Files of problems; the samples of all of them are drawn alike.
    """
    problems = [row for path in prompts for row in read_lines(path)][shard[0] :: shard[1]]
    sampling, engine = Sampling(**cfg["sampling"]), Engine(**cfg["engine"], **speed)
    digest = digest_of([cfg, code, shard, digest_of_files([*prompts, teacher])])
    generate_resumably(
        rollout_requests(problems, cfg["samples_per_prompt"], cfg["seed"]),
        sampling,
        lambda: make_engine(engine, teacher, None, cfg["prompt_suffix"], sampling.max_new_tokens),
        engine.batch_size,
        checkpoint_root(output.parent.parent.parent, "rollouts", output.stem),
        digest,
        output,
    )
