"""Similarity of the hidden states of two models, for a block of layers."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lossgeometry.errors import InputError
from lossgeometry.representations.cka import cka
from lossgeometry.representations.features import centred
from lossgeometry.representations.half_samples import half_samples, interval
from lossgeometry.representations.shifts import relative_residual, shift_cosine, unrelated_residual
from lossgeometry.representations.storage import StoredRows, open_rows

COLUMNS = ("layer", "estimator", "value", "low", "high", "null_mean", "null_sd", "note")
RANGES = {
    "debiased": (-1.0, 1.0),
    "debiased_standardised": (-1.0, 1.0),
    "biased_prompts": (0.0, 1.0),
    "relative_residual": (0.0, np.inf),
    "shift_cosine": (-1.0, 1.0),
}
UNDEFINED = {
    "relative_residual": "the first model's states are zero",
    "shift_cosine": "a model does not differ from the base here",
}
CONSTANT = "a model's states are constant here, or there are fewer than four sequences"
NO_CHANCE_LEVEL = {"biased_prompts": "no chance level: the bias is most of what unrelated states read"}
NO_INTERVAL = "no interval: it needs twice as many sequences"


@dataclass(frozen=True)
class HiddenStates:
    """Hidden states of one model on disk."""

    path: str
    tensors: dict[str, StoredRows]
    layers: int
    lengths: np.ndarray
    tokens: str
    """Digest of the token ids."""


def open_states(path: str | Path) -> HiddenStates:
    """Return the hidden states that `extraction.extract` wrote."""
    tensors, metadata = open_rows(path)
    return HiddenStates(
        str(path), tensors, int(metadata["layers"]), np.array(json.loads(metadata["lengths"])), metadata["tokens"]
    )


def layers_of_block(layers: int, block: int, blocks: int) -> range:
    """Return the layers of block ``block`` (counted from 1) of ``blocks``; together they are all layers, each once."""
    return range(layers * (block - 1) // blocks, layers * block // blocks)


def compare(
    base: HiddenStates,
    a: HiddenStates,
    b: HiddenStates,
    layers: Sequence[int],
    estimators: Sequence[str],
    draws: int,
    seed: int,
) -> list[tuple]:
    """Return the rows of `COLUMNS` for some layers; a row depends on its own layer only, so any split gives the same
    rows.

    Raises
    ------
    InputError
        If the states were taken on different tokens.
    """
    for other in (a, b):
        if other.tokens != base.tokens:
            raise InputError(
                f"{other.path} and {base.path} hold states of different tokens; delete both to have them made again"
            )
    halves = half_samples(len(base.lengths), draws, seed)
    prompt_halves = half_samples(len(base.tensors["prompts.0"]), draws, seed)
    rows = []
    for layer in layers:
        for estimator in estimators:
            values = _estimate(estimator, base, a, b, layer, prompt_halves if estimator == "biased_prompts" else halves)
            value, low, high = interval(values, *RANGES[estimator])
            note = _note(estimator, value, low)
            rows.append((layer, estimator, value, low, high, _unrelated(estimator, base, a, b, layer), np.nan, note))
    return rows


def _unrelated(estimator: str, base: HiddenStates, a: HiddenStates, b: HiddenStates, layer: int) -> float:
    """Return what unrelated states, or shifts, read in the mean; an update and its negative are equally likely."""
    if estimator in NO_CHANCE_LEVEL:
        return np.nan
    if estimator != "relative_residual":
        return 0.0
    origin, first, second = (states.tensors[f"solutions.{layer}"] for states in (base, a, b))
    return unrelated_residual(origin, first, second, a.lengths)


def _note(estimator: str, value: float, low: float) -> str:
    """Return why a value, its interval or its chance level is undefined."""
    if np.isnan(value):
        return UNDEFINED.get(estimator, CONSTANT)
    return NO_INTERVAL if np.isnan(low) else NO_CHANCE_LEVEL.get(estimator, "")


def _estimate(
    estimator: str, base: HiddenStates, a: HiddenStates, b: HiddenStates, layer: int, subsets: np.ndarray
) -> np.ndarray:
    """Return one estimator on every subset of sequences (or prompts), (subsets,)."""
    if estimator == "biased_prompts":
        single = np.ones(len(subsets), dtype=np.int64)
        x, y = (centred(states.tensors[f"prompts.{layer}"], single) for states in (a, b))
        return cka(x, y, subsets, debiased=False)
    first, second = (states.tensors[f"solutions.{layer}"] for states in (a, b))
    if estimator == "relative_residual":
        return relative_residual(first, second, a.lengths, subsets)
    if estimator == "shift_cosine":
        return shift_cosine(base.tensors[f"solutions.{layer}"], first, second, a.lengths, subsets)
    x, y = (centred(states, a.lengths, standardise=estimator == "debiased_standardised") for states in (first, second))
    return cka(x, y, subsets)
