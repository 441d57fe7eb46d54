"""What the two heavy jobs do: one load of the base, then every point of every loss."""

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from lossgeometry.connectivity.endpoints import PointLosses
from lossgeometry.forward.adapted_model import attached, load_base
from lossgeometry.forward.losses import check_losses, sequence_losses
from lossgeometry.forward.sequences import TokenSequence, at_least_two, boxed_answers, reference_solutions
from lossgeometry.settings.tasks import EndPointLosses, Losses
from lossgeometry.updates.peft import Adapter

SEQUENCES_OF = {"reference_solution": reference_solutions, "boxed_answer": boxed_answers}


class Base:
    """The base model, and the sequences of every loss.

    Parameters
    ----------
    student
        Folder of the base model.
    sources
        The file of each loss to measure: held-out solutions for `reference_solution`, problems for `boxed_answer`.
    task
        What is measured of each loss, and how.
    """

    def __init__(self, student: str | Path, sources: Mapping[str, str | Path], task: Losses) -> None:
        self._model, tokenizer = load_base(student, task.precision)
        self._tokens_per_batch = task.tokens_per_batch
        self._sequences: dict[str, Sequence[TokenSequence]] = {}
        for loss, path in sources.items():
            found = SEQUENCES_OF[loss](path, tokenizer, task.prompt_suffix)
            self._sequences[loss] = at_least_two(list(islice(found, task.sequences)), path)

    def measure(self, adapters: Sequence[Adapter], points: np.ndarray) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
        """Return the ids of the sequences and their losses, (points, sequences), by loss.

        Parameters
        ----------
        adapters
            The updates; none measures the base.
        points
            (points, updates): the weights of the updates at every point.
        """
        measured = {}
        with attached(self._model, adapters) as span:
            for loss, sequences in self._sequences.items():
                check_losses(self._model, span, sequences)
                losses = sequence_losses(self._model, span, points, sequences, self._tokens_per_batch)
                measured[loss] = (tuple(sequence.id for sequence in sequences), losses)
        return measured

    def measure_path(
        self, a: Adapter, b: Adapter, points: Sequence[float]
    ) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
        """Return what `measure` does at W0 + (1 - t) dW_a + t dW_b for every t in ``points``."""
        t = np.array(points)
        return self.measure([a, b], np.stack([1 - t, t], axis=1))


def measure_endpoint(
    student: str | Path, adapter: Adapter | None, sources: Mapping, task: EndPointLosses
) -> dict[str, PointLosses]:
    """Return the losses of an update at `task.shrink_points` and at 1, or those of the base (at 0), by loss."""
    multiples = np.array([0.0] if adapter is None else sorted({*task.shrink_points, 1.0}))
    adapters, points = ([], np.zeros((1, 0))) if adapter is None else ([adapter], multiples[:, None])
    measured = Base(student, sources, task).measure(adapters, points)
    return {loss: PointLosses(sequences, multiples, losses) for loss, (sequences, losses) in measured.items()}
