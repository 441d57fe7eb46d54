"""What the two heavy jobs do: one load of the base, then every point of every loss."""

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from transformers import PreTrainedTokenizerBase

from lossgeometry.connectivity.endpoints import PointLosses
from lossgeometry.forward.adapted_model import attached, load_base
from lossgeometry.forward.losses import check_losses, sequence_losses
from lossgeometry.forward.sequences import TokenSequence, at_least_two, boxed_answers, reference_solutions
from lossgeometry.settings.tasks import EndPointLosses, Losses
from lossgeometry.updates.peft import Adapter

SEQUENCES_OF = {"reference_solution": reference_solutions, "boxed_answer": boxed_answers}


def measure_losses(
    student: str | Path,
    adapters: Sequence[Adapter],
    points: np.ndarray,
    sources: Mapping[str, str | Path],
    task: Losses,
) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
    """Return the ids of the sequences and their losses, (points, sequences), by loss.

    Parameters
    ----------
    student
        Folder of the base model.
    adapters
        The updates; none measures the base.
    points
        (points, updates): the weights of the updates at every point.
    sources
        The file of each loss to measure: held-out solutions for `reference_solution`, problems for `boxed_answer`.
    task
        What is measured of each loss, and how.
    """
    model, tokenizer = load_base(student, task.precision)
    with attached(model, adapters) as span:
        measured = {}
        for loss, path in sources.items():
            sequences = _sequences(loss, path, tokenizer, task)
            check_losses(model, span, sequences)
            losses = sequence_losses(model, span, points, sequences, task.tokens_per_batch)
            measured[loss] = (tuple(sequence.id for sequence in sequences), losses)
    return measured


def _sequences(
    loss: str, path: str | Path, tokenizer: PreTrainedTokenizerBase, task: Losses
) -> Sequence[TokenSequence]:
    found = SEQUENCES_OF[loss](path, tokenizer, task.prompt_suffix)
    return at_least_two(list(islice(found, task.sequences)), path)


def measure_endpoint(
    student: str | Path, adapter: Adapter | None, sources: Mapping, task: EndPointLosses
) -> dict[str, PointLosses]:
    """Return the losses of an update at `task.shrink_points` and at 1, or those of the base (at 0), by loss."""
    multiples = np.array([0.0] if adapter is None else sorted({*task.shrink_points, 1.0}))
    adapters, points = ([], np.zeros((1, 0))) if adapter is None else ([adapter], multiples[:, None])
    measured = measure_losses(student, adapters, points, sources, task)
    return {loss: PointLosses(sequences, multiples, losses) for loss, (sequences, losses) in measured.items()}


def measure_path(
    student: str | Path, a: Adapter, b: Adapter, points: Sequence[float], sources: Mapping, task: Losses
) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
    """Return what `measure_losses` does at W0 + (1 - t) dW_a + t dW_b for every t in ``points``."""
    t = np.array(points)
    return measure_losses(student, [a, b], np.stack([1 - t, t], axis=1), sources, task)
