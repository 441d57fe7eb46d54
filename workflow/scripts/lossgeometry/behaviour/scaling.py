"""The multiple of an update at which the model has moved so far, in KL divergence from the base."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np

from lossgeometry.behaviour.answers import first_answers
from lossgeometry.behaviour.divergence import divergences
from lossgeometry.errors import InputError
from lossgeometry.forward.adapted_model import attached, load_base
from lossgeometry.settings.tasks import Divergences
from lossgeometry.updates.peft import Adapter

TOLERANCE = 1e-3
"""Largest error of the divergence that is reached, as a share of it."""
LARGEST_FACTOR = 64.0
STEPS = 60


def factor_to_kl(
    student: str | Path, adapter: Adapter, answers: str | Path, prompts: str | Path, task: Divergences, target: float
) -> float:
    """Return the multiple of an update at which KL(base || run) on the base's answers is a target, nats per token.

    Parameters
    ----------
    student, answers, prompts, task
        As for `measurement.measure_behaviour`: the divergence is the one that the tables tell of the scaled update.

    Raises
    ------
    InputError
        If the target is not reached.
    """
    model, tokenizer = load_base(student, task.precision)
    chosen = first_answers(answers, prompts, task.decoding, task.problems, tokenizer, task.prompt_suffix)
    sequences = [answer.sequence for answer in chosen]
    with attached(model, [adapter]) as span:

        def moved(factor: float) -> float:
            values = divergences(model, span, (0.0,), (factor,), sequences, task.tokens_per_batch)
            return float(np.concatenate(values)[:, 0].mean())

        return factor_for(moved, target)


def factor_for(moved: Callable[[float], float], target: float) -> float:
    """Return a factor at which a distance, 0 at 0, is a target.

    Near the base a divergence grows with the square of the factor, which gives the guesses until the target lies between
    two of them; then lines through their logarithms and halvings take turns.

    Raises
    ------
    InputError
        If the target is not reached up to `LARGEST_FACTOR`.
    """
    factor, value = 1.0, moved(1.0)
    if not value > 0:
        raise InputError("the update moves nothing, so that no multiple of it reaches to_kl; edit another run")
    below: tuple[float, float] | None = None
    above: tuple[float, float] | None = None
    for step in range(STEPS):
        if abs(value / target - 1) <= TOLERANCE:
            return factor
        if value < target:
            below = factor, value
            if factor >= LARGEST_FACTOR:
                raise InputError(
                    f"to_kl: {LARGEST_FACTOR:g} times the update has a divergence of {value:.3g}, below the {target:g} that is"
                    " asked for; lower to_kl"
                )
        else:
            above = factor, value
        if below and above:
            factor = _between(below, above, target, halved=bool(step % 2))
        else:
            law = math.sqrt(target / value) if value > 0 else 2.0
            factor *= min(law, 0.9) if value > target else min(max(law, 1.1), 8.0)
            factor = min(factor, LARGEST_FACTOR)
        value = moved(factor)
    raise InputError(f"to_kl: no multiple of the update was found with a divergence of {target:g}; ask for another")


def _between(below: tuple[float, float], above: tuple[float, float], target: float, halved: bool) -> float:
    """Return a factor between two, in the middle of their logarithms or where a line through the values' meets the target."""
    share = 0.5
    if below[1] > 0 and not halved:
        share = math.log(target / below[1]) / math.log(above[1] / below[1])
    return below[0] ** (1 - share) * above[0] ** share
