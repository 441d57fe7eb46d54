"""The law: a line is tested on methods that it has not seen, and says so where it cannot be."""

import numpy as np
import pytest

from lossgeometry.forgetting.law import COMMON, EVERY, laws, r2_of_unseen_methods

METHODS = ["sft"] * 4 + ["rft"] * 3 + ["dpo"] * 3


def drawn(seed=0):
    return np.random.default_rng(seed).normal(size=len(METHODS))


def by_name(rows, taken=COMMON):
    return {row.predictor: row for row in rows if row.runs_taken == taken}


def test_it_is_its_definition():
    x, y, methods = drawn(1), drawn(2), np.array(METHODS)
    missed = plain = 0.0
    for method in ("sft", "rft", "dpo"):
        out = methods == method
        fitted = np.polynomial.Polynomial.fit(x[~out], y[~out], 1)(x[out])
        missed += ((y[out] - fitted) ** 2).sum()
        plain += ((y[out] - y[~out].mean()) ** 2).sum()
    assert r2_of_unseen_methods(x, y, methods) == pytest.approx(1 - missed / plain, abs=1e-12)


def test_a_law_that_holds_for_all_methods_is_one_in_any_units():
    x = drawn()
    for a, b, factor in ((0.0, 1.0, 1.0), (3.0, -2.0, 1e-6), (-1.0, 0.1, 1e6)):
        row = by_name(laws({"y": a + b * x}, {"x": factor * x}, METHODS))["x"]
        assert row.r2 == pytest.approx(1) and row.r2_unseen == pytest.approx(1)
        assert row.slope == pytest.approx(b / factor) and row.spearman == pytest.approx(np.sign(b))


def test_what_tells_methods_apart_but_not_their_order_does_not_foretell():
    """In each method y falls with x, between methods it rises: a fit over all hides that a method left out is missed."""
    level = np.array([0.0] * 4 + [1.0] * 3 + [10.0] * 3)
    x = level + 0.01 * drawn(3)
    rows = by_name(laws({"y": np.where(level == 10, -5.0, level)}, {"x": x}, METHODS))
    assert rows["x"].r2 > 0.8 and rows["x"].r2_unseen < 0


def test_a_law_that_one_far_method_makes_names_it():
    """Three methods without any relation and one far from them on both axes: a line foretells well, and only with that one."""
    methods = ["sft"] * 4 + ["rft"] * 4 + ["dft"] * 4 + ["dpo"] * 2
    near = np.random.default_rng(8)
    x, y = near.normal(size=14), near.normal(size=14)
    x[12:13], y[12:13] = 100, 100
    x[13:], y[13:] = 101, 101
    groups = np.array(methods)
    (row, _) = laws({"y": y}, {"x": x}, methods)
    rests = {
        name: r2_of_unseen_methods(x[groups != name], y[groups != name], groups[groups != name]) for name in methods
    }
    assert row.rests_on == "dpo" and row.r2_least == min(rests.values()) == rests["dpo"] < 0
    (all_lie_on_it, _) = laws({"y": 2 * x}, {"x": x}, methods)
    assert all_lie_on_it.r2_least == pytest.approx(1)
    (row, _) = laws({"y": drawn()}, {"x": drawn(1)}, METHODS)
    assert np.isnan(row.r2_least) and row.rests_on == "", "without one of three methods, two would be left"


def test_predictors_are_compared_on_the_runs_that_have_all_and_the_best_is_first():
    x, noise = drawn(4), drawn(5)
    part = x + 0.5 * noise
    part[0] = np.nan
    rows = laws({"y": x, "nothing": [np.nan] * len(x)}, {"noise": noise, "part": part, "x": x}, METHODS)
    assert {row.outcome for row in rows} == {"y"}
    assert [row.predictor for row in rows if row.runs_taken == COMMON] == ["x", "part", "noise"]
    assert {row.runs for row in rows if row.runs_taken == COMMON} == {len(x) - 1}
    assert by_name(rows, EVERY)["x"].runs == len(x) and by_name(rows, EVERY)["part"].runs == len(x) - 1


def test_what_is_undefined_says_why():
    x = drawn()
    (row, _) = laws({"y": x}, {"x": x}, ["sft"] * 5 + ["rft"] * 5)
    assert np.isnan(row.r2_unseen) and row.note == "fewer than 3 methods"
    (row, _) = laws({"y": x}, {"x": np.ones_like(x)}, METHODS)
    assert np.isnan(row.r2_unseen) and row.note == "it is the same for every run"
    only_dpo = np.array([0.0] * 7 + [1.0, 2.0, 3.0])
    (row, _) = laws({"y": x}, {"x": only_dpo}, METHODS)
    assert np.isfinite(row.r2) and np.isnan(row.r2_unseen) and "without one method" in row.note
    assert laws({"y": x}, {"x": [np.nan] * len(x)}, METHODS) == []
