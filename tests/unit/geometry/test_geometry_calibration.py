"""Chance levels on 160 modules of unrelated updates whose A are independent, one, one that moved, or lean one way.

z = (value - chance) / sd of an unrelated pair is 0 on average with spread 1. `tests/benchmarks/calibration.py` prints all
of it; here is what each null model must not lose.
"""

import math

import numpy as np
import pytest
from unrelated_updates import CASES, Size, draw_adapters, score

from lossgeometry.geometry.layer_shift import COMPLETE, SHIFTED, TOO_FEW
from lossgeometry.geometry.pairs import compare_pair

SIZE = Size(m=96, n=96, r=8, k=4, layers=40, adapters=2)
SIMILARITIES = (
    "cosine",
    "gram_alignment",
    "top_direction",
    "angle_first",
    "angle_last",
    "grassmann",
    "orthogonal_fraction",
)


@pytest.fixture(scope="module", params=CASES)
def case(request):
    """Return the name of a case, z of single modules (160 a statistic) and z pooled over them."""
    modules, pooled = score(draw_adapters(request.param, SIZE, fall=1.0, seed=1), SIZE.k)
    return request.param, modules, pooled


def moments(scores):
    z, shifted = np.array(scores).T
    return z.mean(), z.std(ddof=1), shifted.any()


def test_cosine_and_outputs_are_calibrated_whatever_a_is(case):
    _, modules, pooled = case
    for key, scores in modules.items():
        if key[1] == "output" or key[0] == "cosine":
            mean, spread, shifted = moments(scores)
            assert abs(mean) < 0.25 and 0.85 < spread < 1.15 and not shifted, key
            assert all(abs(z) < 3.5 for z, _ in pooled[key]), key


def test_inputs_are_calibrated_or_compared_with_shifted_layers(case):
    """A common A has a spectrum of its own, to which unrelated updates lean."""
    name, modules, pooled = case
    for key, scores in modules.items():
        if key[1] == "input":
            mean, spread, shifted = moments(scores)
            assert abs(mean) < 0.25 and 0.75 < spread < 1.3, key
            assert shifted == (name == "leaning"), key
            assert all(abs(z) < 3.5 for z, _ in pooled[key]), key


def test_every_similarity_has_a_chance_level(case):
    _, modules, pooled = case
    sides = [(metric, side) for metric in SIMILARITIES for side in ("output", "input", "none")]
    expected = {key for key in sides if (key[0] in ("cosine", "orthogonal_fraction")) == (key[1] == "none")}
    assert modules.keys() == pooled.keys() == expected


def rows_of(case, layers, k, seed=2):
    a, b = draw_adapters(case, Size(96, 96, 8, k, layers, 2), 1.0, seed)
    return compare_pair(a, b, ("a", "b"), k).rows


def test_all_input_directions_are_judged_by_shifted_layers():
    """The angles between whole row spaces tell one A from two."""
    for case, apart in (("independent", True), ("shared", False)):
        rows = {row.metric: row for row in rows_of(case, 20, 8) if row.scope == "global" and row.side == "input"}
        for metric in ("angle_first", "angle_last", "grassmann"):
            row = rows[metric]
            assert row.note == COMPLETE
            assert (abs(row.value - row.null_mean) < 4 * row.null_sd) == apart, metric
        assert rows["gram_alignment"].note == "" and rows["angle_last"].null_mean > 80


def test_too_few_layers_to_shift_leave_no_level_and_say_so():
    rows = [row for row in rows_of("independent", 3, 8) if row.side == "input"]
    for row in rows:
        complete = row.metric in ("angle_first", "angle_last", "grassmann")
        assert math.isnan(row.null_mean) == math.isnan(row.null_sd) == complete
        assert row.note == (TOO_FEW if complete else "")


def test_levels_of_shifted_layers_are_the_same_every_time_and_for_either_order():
    a, b = draw_adapters("leaning", Size(40, 60, 4, 2, 12, 2), 1.0, 3)
    first, second = (compare_pair(a, b, ("a", "b"), 2).rows for _ in range(2))
    assert first == second or str(first) == str(second)
    back = {row[:7]: row for row in compare_pair(b, a, ("b", "a"), 2).rows}
    shifted = [row for row in first if SHIFTED in row.note]
    assert shifted
    for row in shifted:
        assert back[row[:7]].null_mean == pytest.approx(row.null_mean, abs=0.3 * row.null_sd)
        if not row.metric.startswith("angle"):
            assert back[row[:7]].null_sd == pytest.approx(row.null_sd, rel=1e-8)
