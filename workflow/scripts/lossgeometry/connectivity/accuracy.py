"""Greedy accuracy at points of a path."""

from itertools import islice
from pathlib import Path

import numpy as np
import torch

from lossgeometry.connectivity.paths import curve_rows, lengths_of
from lossgeometry.files.jsonl import read_lines
from lossgeometry.forward.adapted_model import attached
from lossgeometry.generation.engines.transformers import TransformersEngine
from lossgeometry.generation.requests import evaluation_requests
from lossgeometry.grading.grader import Answer, Grader
from lossgeometry.settings.rollouts import Sampling
from lossgeometry.settings.tasks import PathAccuracy
from lossgeometry.updates.peft import Adapter


def base_engine(student: str | Path, task: PathAccuracy) -> TransformersEngine:
    """Return the base model of a folder, ready to answer."""
    return TransformersEngine(Path(student), None, task.prompt_suffix, task.batch_size)


def path_accuracies(
    engine: TransformersEngine, a: Adapter, b: Adapter, problems: str | Path, task: PathAccuracy
) -> list[tuple]:
    """Return the greedy accuracy at W0 + (1 - t) dW_a + t dW_b, as rows of `paths.CURVE_COLUMNS`.

    Parameters
    ----------
    engine
        From `base_engine`.
    problems
        JSONL with the keys id, problem and answer.
    task
        The values of t, how many problems, and how they are answered and graded.
    """
    asked = list(islice(read_lines(problems), task.problems))
    requests = evaluation_requests(asked, greedy=True, samples=0, seed=0)
    sampling = Sampling(temperature=0.0, top_p=1.0, top_k=0, max_new_tokens=task.max_new_tokens)
    points, correct = np.array(task.points), []
    with attached(engine.model, [a, b]) as span, Grader(1, task.deadline_seconds, task.grader) as grader:
        for t in task.points:
            span.set_weights(torch.tensor([[1 - t, t]], device=engine.model.device))
            completions = [completion for batch in engine.generate(requests, sampling) for completion in batch]
            answers = [
                Answer(row["answer"], completion.completion, completion.finish_reason)
                for row, completion in zip(asked, completions, strict=True)
            ]
            correct.append([float(verdict.correct) for verdict in grader.grade(answers)])
    return curve_rows("accuracy", points, np.array(correct), lengths_of(a, b))
