"""The generated teacher: as many right completions, and prompts with both right and wrong ones, as it is asked for.

A completion is a function of the seed, its prompt and its number: no shard or order of jobs changes it.
"""

import random
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from transformers import AutoTokenizer

from lossgeometry.files.jsonl import read_lines, write_atomic
from lossgeometry.generation.requests import SAMPLED, Completion, Request, rollout_requests
from lossgeometry.generation.templating import completion_token_ids
from lossgeometry.problems.reading import read_story
from lossgeometry.rollouts.solutions import STYLES, err, solve
from lossgeometry.settings.rollouts import right_in_mixed
from lossgeometry.settings.tasks import WrittenRollouts


def write_rollouts(task: WrittenRollouts, student: Path, prompts: Path, shard: tuple[int, int], output: Path) -> None:
    """Write the completions of one shard of the prompts: every prompt whose number is `shard[0]` modulo `shard[1]`.

    Parameters
    ----------
    student
        Model folder, by whose tokenizer completions are counted.
    prompts
        File of generated problems.

    Raises
    ------
    InputError
        If a problem is not a generated one.
    """
    tokenizer = AutoTokenizer.from_pretrained(student, local_files_only=True)
    problems = list(read_lines(prompts))[shard[0] :: shard[1]]
    rights = {row["id"]: right_samples(task, row["id"]) for row in problems}

    def rows() -> Iterator[dict]:
        for request in rollout_requests(problems, task.samples_per_prompt, task.seed):
            text = write_completion(request, request.sample in rights[request.problem_id])
            count = len(completion_token_ids(tokenizer, text, finished=True))
            asked = (request.problem_id, request.sample, SAMPLED, request.seed)
            yield asdict(Completion(*asked, text, "stop", count))

    write_atomic(output, rows())


def right_samples(task: WrittenRollouts, problem_id: str) -> set[int]:
    """Return the numbers of the completions of a prompt that are right.

    Over prompts, the expected share of mixed ones is `task.mixed`, and that of right completions `task.right`.
    """
    rng = random.Random(f"{task.seed}/{problem_id}")
    samples = task.samples_per_prompt
    in_mixed, in_others = right_in_mixed(task.right, task.mixed, samples)
    if rng.random() >= task.mixed:
        count = samples if rng.random() < in_others else 0
    else:  # one of each kind for sure; the others so that the mean is what it has to be
        chance = (in_mixed * samples - 1) / (samples - 2) if samples > 2 else 0.0
        count = 1 + sum(rng.random() < chance for _ in range(samples - 2))
    return set(rng.sample(range(samples), count))


def write_completion(request: Request, right: bool) -> str:
    """Return a solution of the request's problem in a random style."""
    rng = random.Random(request.seed)
    story = read_story(request.problem)
    style = rng.choice(STYLES)
    return style(story, solve(story) if right else err(story, rng))
