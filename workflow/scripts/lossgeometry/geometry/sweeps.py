"""What seeds and learning rates do to an update, next to what the loss does: pure functions of cosines between runs."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from lossgeometry.geometry.chance import WIDTH
from lossgeometry.geometry.grams import RunGrams, normalised
from lossgeometry.geometry.nulls import UNDEFINED, Null


class RunLabel(NamedTuple):
    """What tells one run from another."""

    run: str
    method: str
    learning_rate: float
    init_seed: int
    seed: str
    default: bool
    """Whether it runs at its method's default learning rate."""
    order_seed: int = 0
    half: str = ""
    first: bool = True
    """Whether it is its method's first run from its initialisation, and no replicate."""


class CeilingRow(NamedTuple):
    """Similarity of two methods beside that of either with itself under another seed."""

    measure: str
    method_a: str
    method_b: str
    same_seed: float
    """Mean over the seeds of the similarity of the two methods at one seed, which shares A and data order."""
    other_seed: float
    """Mean similarity of the two methods at different seeds."""
    within_a: float
    """Mean similarity of method a with itself at different seeds; within_b alike."""
    within_b: float
    ceiling: float
    """sqrt(within_a within_b): what retraining alone leaves of the similarity of a method with itself."""
    ratio: float
    """other_seed / ceiling: 1 where the methods differ no more than their own seeds do."""
    chance: float
    """Chance level of `other_seed`, and its standard deviation; then those of the three others."""
    chance_sd: float
    same_seed_chance: float
    same_seed_chance_sd: float
    within_a_chance: float
    within_a_chance_sd: float
    within_b_chance: float
    within_b_chance_sd: float
    note: str


class ShareRow(NamedTuple):
    """Share of the squared norm of the (unit-length) updates that one factor of the experiment explains."""

    measure: str
    term: str
    share: float
    chance: float
    """Its expectation when all updates are mutually orthogonal."""
    methods: int
    seeds: int


class RateRow(NamedTuple):
    """Two learning rates of one method at one seed: rescaling would keep the direction, and scale the norm alone."""

    method: str
    seed: str
    rate_a: float
    rate_b: float
    rate_ratio: float
    cosine: float
    angle: float
    """arccos(cosine), degrees: 0 if the learning rate only rescales the update."""
    norm_ratio: float
    output_alignment: float


class Sweeps(NamedTuple):
    """The rows of the tables seeds.csv, decomposition.csv and rates.csv."""

    ceilings: list[CeilingRow]
    shares: list[ShareRow]
    rates: list[RateRow]


def compare_sweeps(grams: RunGrams, labels: Sequence[RunLabel]) -> Sweeps:
    """Return what seeds and learning rates do to the updates, in weights and in output Grams.

    Parameters
    ----------
    grams
        Inner products between the N runs.
    labels
        The N runs. Seeds are compared at the methods' default learning rates, learning rates at one seed.
    """
    cosine, outputs = normalised(grams.weights), normalised(grams.outputs)
    scale = np.sqrt(np.outer(np.diag(grams.weights), np.diag(grams.weights)))
    gram_scale = np.sqrt(np.outer(np.diag(grams.outputs), np.diag(grams.outputs)))
    with np.errstate(invalid="ignore", divide="ignore"):
        measures = {
            "cosine": (cosine, np.zeros_like(cosine), grams.weights_sd / scale),
            "output_gram_alignment": (outputs, grams.outputs_mean / gram_scale, grams.outputs_sd / gram_scale),
        }
    default = [index for index, label in enumerate(labels) if label.default and label.first]
    seeded = [labels[index] for index in default]
    ceilings, shares = [], []
    for measure, matrices in measures.items():
        similarity, chance, chance_sd = (matrix[np.ix_(default, default)] for matrix in matrices)
        ceilings += noise_ceilings(measure, similarity, chance, chance_sd, seeded)
        shares += decompose(measure, similarity, seeded)
    return Sweeps(ceilings, shares, rotations(grams.weights, outputs, labels))


def noise_ceilings(
    measure: str, similarity: np.ndarray, chance: np.ndarray, chance_sd: np.ndarray, labels: Sequence[RunLabel]
) -> list[CeilingRow]:
    """Return the noise ceiling of every pair of methods that have two or more seeds.

    Two runs count as different seeds only if their initialisations differ: those that share A agree on the input side
    by construction.

    Parameters
    ----------
    similarity, chance, chance_sd
        Similarities between runs, their chance levels and the spread of these, (N, N).
    labels
        The N runs, each at its method's default learning rate.
    """
    runs = _by_method(labels)
    within = {method: _mean(similarity, _other_seeds(labels, rows, rows)) for method, rows in runs.items()}
    alone = {method: _chance(chance, chance_sd, _other_seeds(labels, rows, rows)) for method, rows in runs.items()}
    floor = {method: mean + WIDTH * sd for method, (mean, sd) in alone.items()}
    found = []
    for a, b in combinations([method for method in runs if not math.isnan(within[method])], 2):
        apart = _other_seeds(labels, runs[a], runs[b])
        together = [(i, j) for i in runs[a] for j in runs[b] if labels[i].seed == labels[j].seed]
        defined = within[a] > floor[a] and within[b] > floor[b]
        ceiling = math.sqrt(within[a] * within[b]) if defined else math.nan
        note = "" if defined else "a method resembles itself under another seed no more than chance allows"
        other = _mean(similarity, apart)
        values = (_mean(similarity, together), other, within[a], within[b], ceiling, other / ceiling)
        levels = (*_chance(chance, chance_sd, apart), *_chance(chance, chance_sd, together), *alone[a], *alone[b])
        found.append(CeilingRow(measure, a, b, *values, *levels, note))
    return found


def _by_method(labels: Sequence[RunLabel]) -> dict[str, list[int]]:
    runs: dict[str, list[int]] = {}
    for index, label in enumerate(labels):
        runs.setdefault(label.method, []).append(index)
    return runs


def _other_seeds(labels: Sequence[RunLabel], rows: list[int], columns: list[int]) -> list[tuple[int, int]]:
    return [(i, j) for i in rows for j in columns if labels[i].init_seed != labels[j].init_seed]


def _mean(values: np.ndarray, places: Sequence[tuple[int, int]]) -> float:
    return float(np.mean([values[place] for place in places])) if places else math.nan


def _chance(mean: np.ndarray, sd: np.ndarray, places: Sequence[tuple[int, int]]) -> Null:
    """Return the chance level of a mean over pairs of runs: pairs that share one run are uncorrelated too.

    (Turning the other run alone already gives the mean, whatever the first.)
    """
    pairs = sorted({(min(place), max(place)) for place in places})
    if not pairs:
        return UNDEFINED
    return Null(_mean(mean, pairs), math.hypot(*(float(sd[pair]) for pair in pairs)) / len(pairs))


def decompose(measure: str, similarity: np.ndarray, labels: Sequence[RunLabel]) -> list[ShareRow]:
    """Return how much of the updates is common to all runs, due to the loss, to the seed, and to neither alone.

    Two-way analysis of variance of the unit-length updates in their own (huge) space, balanced over the methods that have every
    seed; all sums of squares are traces of projected Gram matrices, so that the space itself is never visited.

    Parameters
    ----------
    similarity
        Cosines between runs, (N, N), positive semi-definite.
    labels
        The N runs, each at its method's default learning rate.

    Returns
    -------
    Shares of `common`, `method`, `seed` and `remainder`, which sum to 1; none with fewer than two methods or seeds.
    """
    # A seed that one method alone has, such as an order replicate, would leave no balanced layout.
    seeds = sorted(seed for seed, count in Counter(label.seed for label in labels).items() if count > 1)
    place = {(label.method, label.seed): index for index, label in enumerate(labels)}
    methods = [method for method in _by_method(labels) if all((method, seed) in place for seed in seeds)]
    if len(methods) < 2 or len(seeds) < 2:
        return []
    order = [place[method, seed] for method in methods for seed in seeds]
    gram = similarity[np.ix_(order, order)]
    if np.isnan(gram).any():
        return []
    average = {size: np.full((size, size), 1 / size) for size in (len(methods), len(seeds))}
    m_mean, s_mean = average[len(methods)], average[len(seeds)]
    m_rest, s_rest = np.eye(len(methods)) - m_mean, np.eye(len(seeds)) - s_mean
    terms: Mapping[str, np.ndarray] = {
        "common": np.kron(m_mean, s_mean),
        "method": np.kron(m_rest, s_mean),
        "seed": np.kron(m_mean, s_rest),
        "remainder": np.kron(m_rest, s_rest),
    }
    total, sizes = np.trace(gram), (len(methods), len(seeds))
    return [
        ShareRow(measure, term, float(np.sum(part * gram) / total), float(np.trace(part) / len(order)), *sizes)
        for term, part in terms.items()
    ]


def rotations(weights: np.ndarray, output_alignment: np.ndarray, labels: Sequence[RunLabel]) -> list[RateRow]:
    """Return every pair of learning rates of one method at one seed.

    Parameters
    ----------
    weights
        Inner products of the updates, (N, N).
    output_alignment
        Cosines of the output Grams, (N, N).
    """
    found = []
    norms = np.sqrt(np.diag(weights))
    order = sorted(range(len(labels)), key=lambda index: labels[index].learning_rate)
    for i, j in combinations(order, 2):
        a, b = labels[i], labels[j]
        if (a.method, a.seed) != (b.method, b.seed) or a.learning_rate == b.learning_rate or a.half or b.half:
            continue
        live = norms[i] > 0 and norms[j] > 0
        cosine = float(weights[i, j] / norms[i] / norms[j]) if live else math.nan
        rates = (a.learning_rate, b.learning_rate, b.learning_rate / a.learning_rate)
        angle = math.degrees(math.acos(min(max(cosine, -1.0), 1.0))) if live else math.nan
        ratio = float(norms[j] / norms[i]) if live else math.nan
        found.append(RateRow(a.method, a.seed, *rates, cosine, angle, ratio, float(output_alignment[i, j])))
    return found
