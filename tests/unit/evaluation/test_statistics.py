"""Statistics against scipy, statsmodels, exact arithmetic and enumeration."""

from fractions import Fraction
from itertools import product
from math import comb

import numpy as np
import pytest
from scipy import stats
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from lossgeometry.evaluation import intervals, statistics

EXACT = {"rel": 1e-12, "abs": 1e-12}
COUNTS = [(0, 1), (1, 1), (0, 30), (3, 30), (30, 30), (1160, 1319), (1319, 1319), (7, 1000)]


@pytest.mark.parametrize(("successes", "trials"), COUNTS)
def test_wilson_is_that_of_scipy_and_statsmodels(successes, trials):
    interval = intervals.wilson(successes / trials, trials)
    scipy_interval = stats.binomtest(successes, trials).proportion_ci(method="wilson")
    assert interval == pytest.approx(tuple(scipy_interval), **EXACT)
    assert interval == pytest.approx(proportion_confint(successes, trials, method="wilson"), **EXACT)
    assert 0 <= interval[0] <= successes / trials <= interval[1] <= 1


def test_wilson_without_trials_is_undefined():
    assert np.isnan(intervals.wilson(0.0, 0)).all()


@pytest.mark.parametrize(("b", "c"), [(0, 0), (1, 0), (5, 0), (6, 0), (10, 3), (3, 10), (40, 41), (200, 150), (7, 7)])
def test_mcnemar_is_that_of_scipy_and_statsmodels(b, c):
    p = statistics.mcnemar(b, c)
    assert p == pytest.approx(statsmodels_mcnemar([[5, b], [c, 9]], exact=True).pvalue, **EXACT)
    if b + c:
        assert p == pytest.approx(stats.binomtest(b, b + c).pvalue, **EXACT)
    assert p == statistics.mcnemar(c, b)


def test_six_to_none_is_the_least_that_one_test_can_see():
    assert statistics.mcnemar(5, 0) > 0.05 > statistics.mcnemar(6, 0)


def test_discordant_counts_each_side():
    assert statistics.discordant([1, 1, 0, 0, 1], [1, 0, 1, 0, 0]) == (2, 1)


@pytest.mark.parametrize("seed", range(5))
def test_holm_is_that_of_statsmodels(seed):
    p_values = np.random.default_rng(seed).uniform(size=17) ** 3
    p_values[3] = p_values[9]
    expected = multipletests(p_values, method="holm")[1]
    np.testing.assert_allclose(statistics.holm(p_values), expected, rtol=1e-12)


def test_holm_leaves_undefined_values_out_of_the_family():
    np.testing.assert_allclose(statistics.holm([0.01, np.nan, 0.04]), [0.02, np.nan, 0.04], rtol=1e-12)
    assert statistics.holm([]).size == 0


def test_average_at_k_is_the_cluster_robust_error_of_statsmodels():
    generator = np.random.default_rng(1)
    correct = generator.uniform(size=(40, 6)) < generator.uniform(size=(40, 1))
    mean, error = statistics.average_at_k(correct)
    groups = np.repeat(np.arange(40), 6)
    fit = OLS(correct.astype(float).ravel(), np.ones(240)).fit(
        cov_type="cluster", cov_kwds={"groups": groups, "use_correction": True, "df_correction": False}
    )
    # statsmodels multiplies by G / (G - 1) * (N - 1) / (N - 1) for one regressor.
    assert mean == pytest.approx(fit.params[0], **EXACT)
    assert error == pytest.approx(fit.bse[0], **EXACT)
    assert error > correct.std() / np.sqrt(correct.size)  # what ignoring the clusters would give


def test_one_sample_each_has_the_ordinary_standard_error():
    correct = np.array([1, 0, 1, 1, 0, 0, 1])[:, None]
    assert statistics.average_at_k(correct) == pytest.approx((4 / 7, stats.sem(correct[:, 0])), **EXACT)
    assert np.isnan(statistics.average_at_k([[1, 0, 1]])[1])


@pytest.mark.parametrize("k", [1, 2, 5, 8])
def test_pass_at_k_is_exact(k):
    correct = np.array([[1] * c + [0] * (8 - c) for c in range(9)], bool)
    exact = sum((1 - Fraction(comb(8 - c, k), comb(8, k)) for c in range(9)), Fraction(0)) / 9
    assert statistics.pass_at_k(correct, k).mean() == pytest.approx(float(exact), **EXACT)


def test_pass_at_k_is_unbiased_by_enumeration():
    """The mean of the estimate over all outcomes of 4 samples at chance 0.3 is the chance of success in 2 draws."""
    total = 0.0
    for outcome in product([0, 1], repeat=4):
        total += 0.3 ** sum(outcome) * 0.7 ** (4 - sum(outcome)) * statistics.pass_at_k([outcome], 2)[0]
    assert total == pytest.approx(1 - 0.7**2, **EXACT)


def test_pass_at_k_refuses_more_than_was_sampled():
    with pytest.raises(ValueError, match="pass@3 needs at least 3 samples"):
        statistics.pass_at_k([[1, 0]], 3)


@pytest.mark.parametrize("level", [0.05, 0.05 / 3])
@pytest.mark.parametrize(("problems", "discordance", "difference"), [(12, 0.5, 0.4), (10, 0.9, 0.9), (8, 0.6, 0.0)])
def test_power_is_that_of_enumerating_every_table(problems, discordance, difference, level):
    up, down = (discordance + difference) / 2, (discordance - difference) / 2
    power = 0.0
    for b in range(problems + 1):
        for c in range(problems + 1 - b):
            ways = comb(problems, b) * comb(problems - b, c)
            chance = ways * up**b * down**c * (1 - discordance) ** (problems - b - c)
            power += chance * (statistics.mcnemar(b, c) <= level)
    assert statistics.mcnemar_power(problems, discordance, difference, level) == pytest.approx(power, abs=1e-10)


def test_the_detectable_difference_is_where_power_reaches_four_fifths():
    found = statistics.minimum_detectable_accuracy_difference(200, 0.15)
    assert statistics.mcnemar_power(200, 0.15, found) >= 0.8 > statistics.mcnemar_power(200, 0.15, found - 1e-4)


def test_a_stricter_level_sees_only_larger_differences():
    for level in (0.05, 0.01):
        found = statistics.minimum_detectable_accuracy_difference(200, 0.15, level)
        assert statistics.mcnemar_power(200, 0.15, found, level) >= 0.8
        assert statistics.mcnemar_power(200, 0.15, found - 1e-4, level) < 0.8
    strict, usual = (statistics.minimum_detectable_accuracy_difference(200, 0.15, level) for level in (0.01, 0.05))
    assert strict > usual


def test_benchmarks_of_the_paper_can_see_two_points_and_a_quarter():
    gsm8k = statistics.minimum_detectable_accuracy_difference(1319, 0.07)
    aime = statistics.minimum_detectable_accuracy_difference(30, 0.10)
    assert gsm8k == pytest.approx(0.021, abs=0.002)
    assert 0.24 < aime < 0.30
    assert np.isnan(statistics.minimum_detectable_accuracy_difference(5, 0.5))


def test_the_detectable_mean_difference_is_that_of_the_normal_power_formula():
    found = statistics.minimum_detectable_mean_difference(0.01)
    # The other tail's rejections, of order 1e-6, are no part of the formula.
    assert stats.norm.sf(stats.norm.isf(0.025) - found / 0.01) == pytest.approx(0.8, **EXACT)
