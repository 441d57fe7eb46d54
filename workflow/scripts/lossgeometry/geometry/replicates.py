"""The loss against the sample: how alike two losses are once what replicates of each differ by is corrected for.

Replicates of one method differ in one thing: the order of the data, the half of the prompts that they train on, the
initialisation, or initialisation and order both. Kinds are never mixed. Of two methods a and b in two such conditions, crossed
pairs share nothing that is drawn, so that with c for the cosine

    c*(a, b) = mean of c(a_1, b_2) and c(a_2, b_1) / sqrt(c(a_1, a_2) c(b_1, b_2))

is 1 where the losses go in one direction but for that noise (Spearman's correction for attenuation; Spearman 1904,
doi:10.2307/1412159). c(a_1, b_1) shares its sample, and is larger. Errors leave out one block of the network at a time.
"""

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from itertools import combinations, combinations_with_replacement
from typing import NamedTuple

import numpy as np
from scipy import stats

from lossgeometry.geometry.chance import WIDTH
from lossgeometry.geometry.grams import RunGrams, Sums, normalised
from lossgeometry.geometry.sweeps import RunLabel

KINDS = ("order", "half", "initialisation", "both")
APART, CANNOT_TELL, ONE_DIRECTION = "apart beyond noise", "cannot tell", "one direction"
LEAST_COSINE = 0.95
"""Two losses go in one direction where the interval of their corrected cosine lies above it."""
INSIDE_CHANCE = "replicates of {method} resemble each other no more than chance allows"
ONE_BLOCK = "one block of layers alone leaves no error"

Places = list[tuple[int, int]]


class ReplicateRow(NamedTuple):
    """Two methods beside their own replicates of one kind; of one method with itself, `within` alone."""

    kind: str
    method_a: str
    method_b: str
    conditions: int
    """Pairs of conditions."""
    within_a: float
    within_b: float
    uncrossed: float
    crossed: float
    crossed_sd: float
    """Of `crossed` between unrelated updates."""
    corrected: float
    standard_error: float
    low: float
    high: float
    verdict: str
    note: str


class ComponentRow(NamedTuple):
    """Share of the squared norm of unit-length updates that one factor makes, the others held fixed."""

    factor: str
    pairs: int
    share: float
    low: float
    high: float
    note: str


def condition(label: RunLabel) -> tuple[int, int, str]:
    """Return what a run draws: its initialisation, its order, its half of the prompts."""
    return label.init_seed, label.order_seed, label.half


def kind_of(a: RunLabel, b: RunLabel) -> str:
    """Return what alone tells two conditions apart; empty for the same, and for several things that are no kind."""
    (init_a, order_a, half_a), (init_b, order_b, half_b) = condition(a), condition(b)
    if {half_a, half_b} == {"A", "B"}:
        return "half" if (init_a, order_a) == (init_b, order_b) else ""
    if half_a or half_b:
        return ""
    if init_a == init_b:
        return "order" if order_a != order_b else ""
    return "both" if order_a != order_b else "initialisation"


def replicate_rows(parts: Mapping[Hashable, Sums], labels: Sequence[RunLabel]) -> list[ReplicateRow]:
    """Return every pair of methods that share replicates of a kind, and every method with itself.

    Parameters
    ----------
    parts
        Sums of the products of all runs by block of the network; see `grams.gram_sums`.
    labels
        The N runs, those at their methods' default learning rates.
    """
    places = {(label.method, condition(label)): index for index, label in enumerate(labels) if label.default}
    conditions = list({condition(label): label for label in labels if label.default}.values())
    methods = list(dict.fromkeys(method for method, _ in places))
    found = []
    for kind in KINDS:
        drawn = [(condition(a), condition(b)) for a, b in combinations(conditions, 2) if kind_of(a, b) == kind]
        for a, b in combinations_with_replacement(methods, 2):
            shared = [pair for pair in drawn if all((method, one) in places for method in (a, b) for one in pair)]
            if shared:
                at = {end: [(places[end, one], places[end, two]) for one, two in shared] for end in (a, b)}
                found.append(_row(kind, a, b, at, parts))
    return found


def _row(kind: str, a: str, b: str, at: Mapping[str, Places], parts: Mapping[Hashable, Sums]) -> ReplicateRow:
    firsts, seconds = zip(*at[a], strict=True), zip(*at[b], strict=True)
    (a_1, a_2), (b_1, b_2) = firsts, seconds
    crossed_places = [*zip(a_1, b_2, strict=True), *zip(a_2, b_1, strict=True)]
    uncrossed_places = [*zip(a_1, b_1, strict=True), *zip(a_2, b_2, strict=True)]

    def corrected(cosine: np.ndarray) -> float:
        ceiling = _mean(cosine, at[a]) * _mean(cosine, at[b])
        return _mean(cosine, crossed_places) / math.sqrt(ceiling) if ceiling > 0 else math.nan

    cosine, sd = _cosines(list(parts.values()))
    within = {method: _mean(cosine, at[method]) for method in (a, b)}
    numbers = (len(at[a]), within[a], within[b])
    if a == b:
        return ReplicateRow(kind, a, b, *numbers, *[math.nan] * 7, "", "one method")  # type: ignore[call-arg, arg-type]
    across = (_mean(cosine, uncrossed_places), _mean(cosine, crossed_places), _spread(sd, crossed_places))
    lost = next((m for m in (a, b) if within[m] <= WIDTH * _spread(sd, at[m])), "")
    if lost:
        nothing = (math.nan,) * 4
        return ReplicateRow(kind, a, b, *numbers, *across, *nothing, CANNOT_TELL, INSIDE_CHANCE.format(method=lost))
    value = corrected(cosine)
    error, low, high = leave_one_out(parts, lambda kept: corrected(_cosines(kept)[0]))
    verdict = APART if high < LEAST_COSINE else ONE_DIRECTION if low >= LEAST_COSINE else CANNOT_TELL
    note = ONE_BLOCK if math.isnan(error) else ""
    return ReplicateRow(kind, a, b, *numbers, *across, value, error, low, high, verdict, note)


def leave_one_out(
    parts: Mapping[Hashable, Sums], statistic: Callable[[list[Sums]], float]
) -> tuple[float, float, float]:
    """Return the standard error of a statistic over the blocks of a network, and its 95 % interval with Student's quantile.

    NaN with fewer than two blocks. It holds what differs from block to block, as another draw of the noise would.
    """
    sums, count = list(parts.values()), len(parts)
    if count < 2:
        return math.nan, math.nan, math.nan
    value = statistic(sums)
    without = np.array([statistic(sums[:place] + sums[place + 1 :]) for place in range(count)])
    error = math.sqrt((count - 1) / count * float(np.sum((without - without.mean()) ** 2)))
    half = float(stats.t.isf(0.025, count - 1)) * error
    return error, value - half, value + half


def components(parts: Mapping[Hashable, Sums], labels: Sequence[RunLabel]) -> list[ComponentRow]:
    """Return what each factor adds to unit-length updates: half the squared distance of two that differ in it alone, 1 - cosine.

    Parameters are those of `replicate_rows`.
    """
    places: dict[str, Places] = {"initialisation": [], "order": [], "data": [], "loss": []}
    for i, j in combinations([index for index, label in enumerate(labels) if label.default], 2):
        a, b = labels[i], labels[j]
        if a.method != b.method and condition(a) == condition(b) and not a.half:
            places["loss"].append((i, j))
        elif a.method == b.method and (kind := kind_of(a, b)) in ("order", "initialisation", "half"):
            places["data" if kind == "half" else kind].append((i, j))
    rows = []
    for factor, pairs in places.items():
        if pairs:
            error, low, high = leave_one_out(parts, lambda kept, of=pairs: 1 - _mean(_cosines(kept)[0], of))  # type: ignore[misc]
            share = 1 - _mean(_cosines(list(parts.values()))[0], pairs)
            note = "halves of the prompts: each has half of the data" if factor == "data" else ""
            rows.append(ComponentRow(factor, len(pairs), share, max(low, 0.0), high, note))
    return rows


def _cosines(parts: list[Sums]) -> tuple[np.ndarray, np.ndarray]:
    grams = RunGrams.of(np.sum(parts, axis=0))
    scale = np.sqrt(np.outer(np.diag(grams.weights), np.diag(grams.weights)))
    with np.errstate(invalid="ignore", divide="ignore"):
        return normalised(grams.weights), grams.weights_sd / scale


def _mean(values: np.ndarray, places: Places) -> float:
    return float(np.mean([values[place] for place in places]))


def _spread(sd: np.ndarray, places: Places) -> float:
    """Return the standard deviation of a mean of uncorrelated values."""
    return math.hypot(*(float(sd[place]) for place in places)) / len(places)
