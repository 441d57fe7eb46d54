"""Intervals against statsmodels, scipy and brute force, and how often they hold the truth."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from lossgeometry.evaluation import intervals

EXACT = {"rel": 1e-10, "abs": 1e-10}
F = stats.f.isf(0.05, 1, 29) / 2


def betabinom_profile(counts, samples, mean):
    """Largest beta-binomial log-likelihood at a mean, by scipy's distribution on a fine grid and a local search."""

    def lost(log_size):
        size = np.exp(log_size)
        return -stats.betabinom.logpmf(counts, samples, mean * size, (1 - mean) * size).sum()

    grid = np.linspace(-8, 14, 221)
    best = grid[np.argmin([lost(one) for one in grid])]
    found = optimize.minimize_scalar(lost, bounds=(best - 0.1, best + 0.1), method="bounded", options={"xatol": 1e-7})
    binomial = stats.binom.logpmf(counts, samples, mean).sum()
    return max(-found.fun, binomial)


@pytest.mark.parametrize("seed", range(3))
def test_the_beta_binomial_limits_are_where_the_profile_likelihood_of_scipy_falls_by_f(seed):
    generator = np.random.default_rng(seed)
    counts = generator.binomial(16, generator.beta(0.2, 2.0, 30))
    low, high = intervals.beta_binomial(counts, 16)
    best = optimize.minimize_scalar(
        lambda mean: -betabinom_profile(counts, 16, mean), bounds=(low, high), method="bounded", options={"xatol": 1e-9}
    )
    for limit in (low, high):
        # A part in 1e10 of the log-likelihood, which is of the order of 100.
        assert betabinom_profile(counts, 16, limit) == pytest.approx(-best.fun - F, abs=1e-7)
    assert low < counts.mean() / 16 < high


def test_none_of_thirty_has_the_interval_of_thirty_draws():
    """With no right answer nothing tells samples of one problem apart, so that each problem counts once."""
    low, high = intervals.beta_binomial(np.zeros(30, int), 16)
    assert low == 0.0 and high == pytest.approx(1 - np.exp(-F / 30), abs=1e-9)
    low, high = intervals.beta_binomial(np.full(30, 16), 16)
    assert high == 1.0 and low == pytest.approx(np.exp(-F / 30), abs=1e-9)


@pytest.mark.slow
def test_with_one_sample_it_is_the_likelihood_ratio_interval_of_a_proportion():
    low, high = intervals.beta_binomial([1] * 7 + [0] * 23, 1)

    def deviance(p):
        return 7 * np.log(7 / 30 / p) + 23 * np.log(23 / 30 / (1 - p)) - F

    assert low == pytest.approx(optimize.brentq(deviance, 1e-6, 7 / 30, xtol=1e-14), **EXACT)
    assert high == pytest.approx(optimize.brentq(deviance, 7 / 30, 0.9, xtol=1e-14), **EXACT)


def test_the_beta_binomial_interval_covers_at_the_size_of_aime():
    """30 problems x 16 samples at 7 %: 93 to 97 % of intervals hold the truth. The normal interval holds it in 86 %."""
    generator, held, normal, repeats = np.random.default_rng(0), 0, 0, 300
    for _ in range(repeats):
        counts = generator.binomial(16, generator.beta(0.07, 0.93, 30))
        low, high = intervals.beta_binomial(counts, 16)
        held += low <= 0.07 <= high
        error = stats.sem(counts / 16)
        normal += abs(counts.mean() / 16 - 0.07) <= 1.96 * error
    assert 0.93 <= held / repeats <= 0.97
    assert normal / repeats < 0.90


def test_a_kind_of_problems_that_the_sample_lacks_is_allowed_for():
    """By brute force over its share and the mean of the rest, with scipy's likelihood."""
    counts = np.random.default_rng(3).binomial(16, 0.05, 30)
    means = np.linspace(0.01, 0.2, 96)
    likelihood = np.array([betabinom_profile(counts, 16, mean) for mean in means])
    shares = np.linspace(0, 0.1, 201)[:, None]
    near, absent = (stats.f.isf(alpha, 1, 29) / 2 for alpha in (intervals.NEAR, intervals.ABSENT))
    kept = (likelihood.max() - likelihood) / near - 30 * np.log1p(-shares) / absent <= 1
    low, high = intervals.few_problems(counts, 16)
    assert low == pytest.approx(((1 - shares) * means)[kept].min(), abs=0.002)
    assert high == pytest.approx((shares + (1 - shares) * means)[kept].max(), abs=0.002)
    assert intervals.few_problems(np.zeros(30, int), 16) == pytest.approx((0, 1 - np.exp(-absent / 30)))


def test_what_is_allowed_at_the_far_end_is_not_allowed_at_the_near_one_again():
    """Hardly any interval misses at the far end, so that a lower limit which misses in 2.5 % would cover 97.5 % in all."""
    for seed in range(3):
        counts = np.random.default_rng(seed).binomial(16, 0.07, 30)
        (near, far), (low, high) = intervals.beta_binomial(counts, 16), intervals.few_problems(counts, 16)
        assert near < low < counts.mean() / 16 and high > far + 0.03


@pytest.mark.slow
def test_a_few_problems_that_carry_the_accuracy_are_covered():
    """6 % of problems at 90 %: one sample of thirty in six holds none of them."""
    generator, repeats, mean = np.random.default_rng(0), 150, 0.0742
    held = {intervals.beta_binomial: 0, intervals.few_problems: 0}
    for _ in range(repeats):
        counts = generator.binomial(16, generator.choice([0.01, 0.1, 0.9], p=[0.82, 0.12, 0.06], size=30))
        for interval in held:
            low, high = interval(counts, 16)
            held[interval] += low <= mean <= high
    assert held[intervals.few_problems] / repeats > 0.90 > 0.87 > held[intervals.beta_binomial] / repeats


def test_the_clustered_interval_is_wilsons_for_the_trials_that_give_its_error():
    values = np.random.default_rng(1).choice([0, 0.25, 0.5, 1.0], size=200)
    mean, error = values.mean(), stats.sem(values)
    low, high = intervals.clustered(values)
    trials, z = mean * (1 - mean) / error**2, stats.t.isf(0.025, 199)
    for limit in (low, high):  # Wilson's limits solve (mean - p)^2 = z^2 p (1 - p) / trials
        assert (mean - limit) ** 2 == pytest.approx(z**2 * limit * (1 - limit) / trials, **EXACT)
    assert low < mean < high


@pytest.mark.parametrize("value", [0.0, 0.25, 1.0])
def test_no_interval_has_width_zero(value):
    low, high = intervals.clustered(np.full(30, value))
    assert 0 <= low <= value <= high <= 1 and high - low > 0.05
    found = intervals.paired(np.full(30, value))
    assert found.low < value or value == found.low == -1
    assert found.high - found.low > 0.01


@pytest.mark.parametrize(("b", "c", "n"), [(0, 0, 30), (3, 9, 100), (40, 20, 500), (0, 6, 30)])
def test_the_paired_interval_of_single_answers_is_that_of_bonett_and_price(b, c, n):
    """(c - b) / (n + 2) +- z sqrt((p12 + p21 - (p12 - p21)^2) / (n + 2)) with one added to both discordant counts."""
    values = np.array([-1.0] * b + [1.0] * c + [0.0] * (n - b - c))
    first, second = (b + 1) / (n + 2), (c + 1) / (n + 2)
    error = np.sqrt((first + second - (second - first) ** 2) / (n + 2))
    centre, z = second - first, stats.norm.isf(0.025)
    found = intervals.paired(values)
    assert found.difference == pytest.approx((c - b) / n, **EXACT)
    assert (found.low, found.high) == pytest.approx((centre - z * error, centre + z * error), **EXACT)
    assert (found.p < 0.05) == (found.low > 0 or found.high < 0)


def test_the_paired_interval_is_the_usual_one_where_problems_are_many():
    values = np.random.default_rng(2).choice([-0.25, 0.0, 0.25, 0.5], size=20000)
    found, error = intervals.paired(values), stats.sem(values)
    assert found.error == pytest.approx(error, rel=1e-3)
    assert found.p == pytest.approx(2 * stats.norm.sf(abs(values.mean()) / error), rel=1e-2)


@pytest.mark.parametrize(("n", "k"), [(30, 16), (100, 4), (500, 4), (500, 1)])
def test_the_paired_interval_covers(n, k):
    """Chances that move a little everywhere; 93 % at least, and on few problems more rather than less."""
    generator, held, repeats = np.random.default_rng(3), 0, 2000

    def draw(size):
        p = generator.beta(1, 1, size)
        q = np.clip(p + generator.normal(0.03, 0.1, size), 0, 1)
        return p, q

    p, q = draw(2_000_000)
    truth = (q - p).mean()
    for _ in range(repeats):
        p, q = draw(n)
        found = intervals.paired((generator.binomial(k, q) - generator.binomial(k, p)) / k)
        held += found.low <= truth <= found.high
    assert 0.93 <= held / repeats <= (0.99 if n < 100 else 0.975)


@pytest.mark.parametrize("shape", [(2, 40), (3, 25)])
def test_the_hierarchical_error_is_that_of_the_analysis_of_variance_of_statsmodels(shape):
    generator = np.random.default_rng(4)
    values = generator.normal(size=shape) + generator.normal(size=shape[1]) + 2 * generator.normal(size=(shape[0], 1))
    rows = pd.DataFrame(
        [(seed, problem, values[seed, problem]) for seed, problem in product(*map(range, shape))],
        columns=["seed", "problem", "value"],
    )
    table = anova_lm(ols("value ~ C(seed) + C(problem)", rows).fit())
    squares = (table.sum_sq / table.df).to_numpy()
    variance = (squares[0] + squares[1] - squares[2]) / values.size
    freedom = (variance * values.size) ** 2 / (squares**2 / table.df.to_numpy()).sum()
    found = intervals.crossed_seeds(values)
    assert found.error == pytest.approx(np.sqrt(variance), **EXACT)
    assert found.freedom == pytest.approx(freedom, **EXACT)
    assert found.high - found.mean == pytest.approx(stats.t.isf(0.025, freedom) * np.sqrt(variance), **EXACT)
    assert found.between_seeds == pytest.approx(np.sqrt((squares[0] - squares[2]) / shape[1]), **EXACT)


def test_the_hierarchical_interval_covers_where_the_one_given_the_weights_does_not():
    generator, held, given, repeats = np.random.default_rng(5), 0, 0, 1000
    for _ in range(repeats):
        seeds = 0.02 * generator.normal(size=(3, 1))
        values = 0.7 + seeds + 0.2 * generator.normal(size=200) + 0.1 * generator.normal(size=(3, 200))
        found = intervals.crossed_seeds(values)
        held += found.low <= 0.7 <= found.high
        given += abs(values[0].mean() - 0.7) <= 1.96 * stats.sem(values[0])
    assert 0.93 <= held / repeats <= 0.99
    assert given / repeats < 0.85


def test_too_little_data_is_undefined():
    assert np.isnan(intervals.clustered([0.5])).all() and np.isnan(intervals.beta_binomial([3], 16)).all()
    assert np.isnan(intervals.paired([0.5])[1:]).all()
    assert np.isnan(intervals.crossed_seeds(np.ones((1, 9)))[1:]).all()


def test_the_interval_of_a_ratio_covers_the_truth():
    draw, inside = np.random.default_rng(0), 0
    for _ in range(500):
        gain = draw.normal(0.15, 0.3, size=300)
        part = 0.4 * gain + draw.normal(0, 0.2, size=300)
        ratio, low, high = intervals.fieller(part, gain)
        assert low <= ratio <= high
        inside += low <= 0.4 <= high
    assert 0.93 <= inside / 500 <= 0.975


def test_a_ratio_to_what_may_be_zero_is_undefined():
    draw = np.random.default_rng(1)
    assert np.isnan(intervals.fieller(draw.normal(0.1, 0.3, 50), draw.normal(0.0, 0.3, 50))).all()
    assert np.isnan(intervals.fieller(np.ones(1), np.ones(1))).all()
