"""Estimates from fold sums: unbiased where the plain ones are not, with errors that cover."""

import numpy as np

from lossgeometry.audit.estimates import (
    corrected_cosine,
    half_cosine,
    noise,
    prompts_for,
    regime_cosine,
    sample_cosine,
)

FOLDS, PROMPTS, WIDTH = 16, 320, 150
SIZES = np.full(FOLDS, PROMPTS / FOLDS)


def fold_sums(draw, means, shared):
    """Return the fold sums of two losses whose prompts share part of their noise, (2, folds, width)."""
    common = draw.normal(size=(PROMPTS, WIDTH))
    rows = [mean + shared * common + draw.normal(size=(PROMPTS, WIDTH)) for mean in means]
    return np.stack([row.reshape(FOLDS, -1, WIDTH).sum(axis=1) for row in rows])


def grams(sums):
    return sums[0] @ sums[0].T, sums[0] @ sums[1].T, sums[1] @ sums[1].T


def test_the_cosine_is_unbiased_under_shared_noise_where_that_of_the_sums_is_not():
    means = np.zeros((2, WIDTH))
    means[0, 0], means[1, :2] = 1.0, (0.3, np.sqrt(1 - 0.09))  # cosine 0.3, squared norms 1
    estimates, plain = [], []
    for seed in range(200):
        products = grams(fold_sums(np.random.default_rng(seed), means, shared=1.0))
        estimates.append(corrected_cosine(*products, SIZES))
        plain.append(sample_cosine(*products))
    values = np.array([estimate.value for estimate in estimates])
    errors = np.array([estimate.error for estimate in estimates])
    assert abs(values.mean() - 0.3) < 2 * values.std() / np.sqrt(200)
    assert np.mean(plain) > 0.35, "the noise that both losses take from one prompt looks like agreement"
    assert 0.9 < np.mean(np.abs(values - 0.3) < 1.96 * errors) < 0.99
    assert 0.8 < np.sqrt(np.mean(errors**2)) / values.std() < 1.25


def test_losses_of_one_direction_have_cosine_one_and_noise_hides_none():
    draw = np.random.default_rng(5)
    mean = np.zeros(WIDTH)
    mean[0] = 3.0
    sums = fold_sums(draw, [mean, mean], shared=0.0)
    sums[1] = 2 * sums[0]
    found = corrected_cosine(*grams(sums), SIZES)
    np.testing.assert_allclose(found, (1, 0), atol=1e-12)
    nothing = fold_sums(draw, [0 * mean, 0 * mean], shared=0.0)
    hidden = [
        corrected_cosine(*grams(fold_sums(np.random.default_rng(s), [0 * mean, mean], 0)), SIZES) for s in range(20)
    ]
    assert any(np.isnan(estimate.value) for estimate in hidden), "a squared norm at or below 0 gives no cosine"
    assert nothing.shape == (2, FOLDS, WIDTH)


def test_the_noise_scale_is_that_of_the_population():
    mean = np.zeros(WIDTH)
    mean[0] = 2.0
    found = [noise(grams(fold_sums(np.random.default_rng(s), [mean, mean], 0))[0], SIZES) for s in range(100)]
    values = np.array([one.scale.value for one in found])
    assert abs(values.mean() - WIDTH / 4) < 3 * values.std() / 10
    # Two halves of the prompts, measured.
    cosines = []
    for seed in range(100):
        sums = fold_sums(np.random.default_rng(seed), [mean, mean], 0)[0]
        first, second = sums[: FOLDS // 2].sum(axis=0), sums[FOLDS // 2 :].sum(axis=0)
        cosines.append(first @ second / np.linalg.norm(first) / np.linalg.norm(second))
    assert abs(np.mean(cosines) - half_cosine(WIDTH / 4, PROMPTS)) < 0.02
    scale = 79.0
    needed = prompts_for(scale, 0.9)
    np.testing.assert_allclose(np.sqrt(1 / (1 + scale / needed)), 0.9)


def test_the_regime_of_sft_and_rft_is_the_closed_form():
    draw = np.random.default_rng(2)
    right, wrong = draw.normal(size=(2, 50))
    vectors = np.stack([right, wrong, right, 0 * wrong])
    p = np.linspace(0.05, 0.95, 10)
    a, b, c = right @ right, wrong @ wrong, right @ wrong
    expected = (p * a + (1 - p) * c) / np.sqrt(a * (p**2 * a + 2 * p * (1 - p) * c + (1 - p) ** 2 * b))
    np.testing.assert_allclose(regime_cosine(vectors @ vectors.T, p), expected, rtol=1e-12)
