"""What linear CKA must do, whichever form computes it."""

import itertools

import numpy as np
import pytest

from lossgeometry.representations.cka import cka
from lossgeometry.representations.features import centred
from lossgeometry.representations.half_samples import half_samples, interval
from lossgeometry.representations.shifts import relative_residual, shift_cosine

RNG = np.random.default_rng(3)
LENGTHS = RNG.integers(3, 40, size=20)
OWNER = np.repeat(np.arange(20), LENGTHS)
X = RNG.normal(size=(len(OWNER), 17)) + 3
Y = X @ RNG.normal(size=(17, 11)) + 2 * RNG.normal(size=(len(OWNER), 11))
ALL = np.ones((20, 1))


def whole(x, y, **options):
    return float(cka(centred(x, LENGTHS), centred(y, LENGTHS), ALL, **options)[0])


def ratio(hsic, k, m):
    return hsic(k, m) / np.sqrt(hsic(k, k) * hsic(m, m))


def biased(x, y):
    """tr(K H L H) / n^2 from whole Gram matrices, as in Gretton et al. 2005."""
    h = np.eye(len(x)) - 1 / len(x)
    return ratio(lambda k, m: np.trace(k @ h @ m @ h) / len(x) ** 2, x @ x.T, y @ y.T)


def over_quadruples(x, y, owner):
    """The mean of K_ij (L_ij + L_qr - 2 L_iq) over every quadruple of tokens of four different sequences, one by one."""
    four = [
        places for places in itertools.product(range(len(x)), repeat=4) if len({owner[place] for place in places}) == 4
    ]
    i, j, q, r = np.array(four).T
    return ratio(lambda k, m: np.mean(k[i, j] * (m[i, j] + m[q, r] - 2 * m[i, q])), x @ x.T, y @ y.T)


def song(x, y):
    """HSIC_1 of Song et al. 2012, for which every token is a draw of its own."""
    n = len(x)

    def hsic(k, m):
        k, m = k - np.diag(np.diag(k)), m - np.diag(np.diag(m))
        return (np.trace(k @ m) + k.sum() * m.sum() / ((n - 1) * (n - 2)) - 2 * (k @ m).sum() / (n - 2)) / (n * (n - 3))

    return ratio(hsic, x @ x.T, y @ y.T)


@pytest.mark.parametrize("form", ["gram", "feature"])
def test_biased_cka_of_every_subset_agrees_with_the_definition(form):
    subsets = half_samples(20, 6, seed=0)
    measured = cka(centred(X, LENGTHS), centred(Y, LENGTHS), subsets, debiased=False, form=form)
    assert measured == pytest.approx([biased(X[kept], Y[kept]) for kept in (subsets[OWNER].T > 0)], abs=1e-10)


@pytest.mark.parametrize("form", ["gram", "feature"])
def test_debiased_cka_is_the_mean_over_quadruples_of_tokens_of_four_sequences(form):
    lengths = np.array([3, 1, 2, 4, 2, 1])
    owner = np.repeat(np.arange(6), lengths)
    x = RNG.normal(size=(13, 4)) + RNG.normal(size=(6, 4))[owner] + 5
    y = x @ RNG.normal(size=(4, 3)) + RNG.normal(size=(13, 3))
    subsets = np.array([[1, 1, 1, 1, 1, 1], [1, 1, 0, 1, 1, 0], [0, 1, 1, 1, 1, 1]], dtype=float).T
    measured = cka(centred(x, lengths), centred(y, lengths), subsets, form=form)
    expected = [over_quadruples(x[kept], y[kept], owner[kept]) for kept in (subsets[owner].T > 0)]
    assert measured == pytest.approx(expected, abs=1e-10)


def test_sequences_of_one_token_give_the_estimator_of_song_et_al():
    single = np.ones(len(OWNER), dtype=int)
    measured = cka(centred(X, single), centred(Y, single), np.ones((len(OWNER), 1)))[0]
    assert measured == pytest.approx(song(X, Y), abs=1e-10)


def clustered(generator, lengths, dimensions, share):
    """Isotropic features, of whose variance a share lies between sequences."""
    between = np.repeat(generator.normal(size=(len(lengths), dimensions)), lengths, axis=0)
    return np.sqrt(share) * between + np.sqrt(1 - share) * generator.normal(size=between.shape)


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.05, 0.1, 0.2])
def test_unrelated_states_read_zero_however_much_of_their_variance_lies_between_sequences(share):
    """32 sequences of 24 tokens; the estimator that takes tokens for independent reads many times as much."""
    lengths, values, held, naive = np.full(32, 24), [], 0, []
    for seed in range(25):
        generator = np.random.default_rng(seed)
        x, y = (clustered(generator, lengths, 512, share) for _ in range(2))
        found = cka(centred(x, lengths), centred(y, lengths), half_samples(32, 100, seed))
        value, low, high = interval(found, -1, 1)
        values.append(value)
        held += low <= 0 <= high
        if seed < 3:
            naive.append(song(x, y))
    error = np.std(values) / np.sqrt(len(values))
    assert abs(np.mean(values)) < max(3 * error, 0.003)
    assert held >= 23
    assert np.min(naive) > 0.03


@pytest.mark.parametrize("debiased", [True, False])
@pytest.mark.parametrize("dimensions", [5, 400])
def test_feature_form_equals_gram_form(dimensions, debiased):
    x = RNG.normal(size=(len(OWNER), dimensions)) * RNG.lognormal(size=dimensions)
    y = x + RNG.normal(size=x.shape)
    assert whole(x, y, form="feature", debiased=debiased) == pytest.approx(
        whole(x, y, form="gram", debiased=debiased), abs=1e-12
    )


def test_biased_cka_calls_noise_similar_and_debiased_does_not():
    for seed in range(3):
        generator = np.random.default_rng(seed)
        x, y = (centred(generator.normal(size=(256, 2560)), np.full(256, 1)) for _ in range(2))
        assert abs(cka(x, y, np.ones((256, 1)))[0]) < 0.02
        assert cka(x, y, np.ones((256, 1)), debiased=False)[0] > 0.9


@pytest.mark.parametrize("debiased", [True, False])
def test_invariances(debiased):
    reference = whole(X, Y, debiased=debiased)
    rotation, _ = np.linalg.qr(RNG.normal(size=(17, 17)))
    assert whole(X @ rotation, Y, debiased=debiased) == pytest.approx(reference, abs=1e-10)
    assert whole(-1e3 * X, 1e-4 * Y, debiased=debiased) == pytest.approx(reference, abs=1e-10)
    assert whole(X + RNG.normal(size=17) * 100, Y, debiased=debiased) == pytest.approx(reference, abs=1e-8)
    assert whole(Y, X, debiased=debiased) == pytest.approx(reference, abs=1e-12)
    assert whole(X, 2 * X @ rotation, debiased=debiased) == pytest.approx(1, abs=1e-12)


def test_the_order_of_the_sequences_does_not_matter():
    order = RNG.permutation(20)
    rows = np.concatenate([np.flatnonzero(OWNER == sequence) for sequence in order])
    moved = cka(centred(X[rows], LENGTHS[order]), centred(Y[rows], LENGTHS[order]), ALL)[0]
    assert moved == pytest.approx(whole(X, Y), abs=1e-12)


def test_standardising_reveals_a_massive_dimension():
    generator = np.random.default_rng(5)
    x, y = generator.normal(size=(2, len(OWNER), 64))
    x[:, 7] = y[:, 7] = 1000 * generator.normal(size=len(OWNER))
    assert whole(x, y) > 0.999
    standardised = cka(centred(x, LENGTHS, standardise=True), centred(y, LENGTHS, standardise=True), ALL)[0]
    assert standardised < 0.1


def test_standardised_ignores_the_scale_of_dimensions_and_drops_constant_ones():
    scaled = X * RNG.lognormal(size=17)
    plain = cka(centred(X, LENGTHS, standardise=True), centred(Y, LENGTHS), ALL)[0]
    padded = np.concatenate([scaled, np.full((len(OWNER), 2), 4.2)], axis=1)
    assert cka(centred(padded, LENGTHS, standardise=True), centred(Y, LENGTHS), ALL)[0] == pytest.approx(
        plain, abs=1e-10
    )


def test_constant_features_and_too_few_sequences_are_undefined():
    assert np.isnan(whole(np.ones_like(X), Y))
    three = centred(X[:9], [3, 3, 3])
    assert np.isnan(cka(three, three, np.ones((3, 1)))[0])


def test_many_sequences_and_one_long_one_cross_the_blocks():
    lengths = np.array([5, 600, 2, 300, 90, 1, 200])
    x = RNG.normal(size=(lengths.sum(), 8))
    y = x[:, :6] + RNG.normal(size=(lengths.sum(), 6))
    for debiased in (True, False):
        gram, feature = (
            cka(centred(x, lengths), centred(y, lengths), np.ones((7, 1)), debiased=debiased, form=form)[0]
            for form in ("gram", "feature")
        )
        assert gram == pytest.approx(feature, abs=1e-12)
    assert gram == pytest.approx(biased(x, y), abs=1e-10)


def test_rows_must_be_those_of_the_sequences():
    with pytest.raises(ValueError, match="rows"):
        centred(X, LENGTHS[:-1])


@pytest.mark.slow
def test_half_samples_estimate_the_spread_of_a_mean():
    """On a mean over sequences the interval is known: value +- 1.96 s / sqrt(S)."""
    values = np.random.default_rng(0).normal(size=400)
    subsets = half_samples(400, 4000, seed=1)
    assert subsets[:, 0].all() and (subsets[:, 1:].sum(axis=0) == 200).all()
    value, low, high = interval(values @ subsets / subsets.sum(axis=0), -np.inf, np.inf)
    assert value == pytest.approx(values.mean())
    assert (high - low) / 2 == pytest.approx(1.96 * values.std() / np.sqrt(400), rel=0.06)


def test_the_interval_covers_what_more_sequences_would_give():
    """Debiased CKA of features with known similarity: 95 % intervals hold it about that often."""
    mix = np.random.default_rng(1).normal(size=(6, 6))

    def draw(generator, sequences):
        lengths = np.full(sequences, 4)
        means = np.repeat(generator.normal(size=(sequences, 6)), 4, axis=0)
        x = means + generator.normal(size=means.shape)
        return centred(x, lengths), centred(x @ mix + 2 * generator.normal(size=x.shape), lengths)

    truth = cka(*draw(np.random.default_rng(99), 2000), np.ones((2000, 1)))[0]
    held = 0
    for seed in range(100):
        _, low, high = interval(cka(*draw(np.random.default_rng(seed), 60), half_samples(60, 200, seed)), -1, 1)
        held += low <= truth <= high
    assert 85 <= held <= 99


def test_an_interval_stays_within_what_is_possible():
    assert interval(np.array([0.99, 0.9, 1.0, 0.97, 1.0]), -1, 1)[2] <= 1
    assert np.isnan(interval(np.array([0.5, np.nan, 0.4]), -1, 1)[1:]).all()


def test_residual_and_shifts_have_their_known_values():
    base, shift = RNG.normal(size=(2, len(OWNER), 9))
    a = base + shift
    assert relative_residual(a, a, LENGTHS, ALL)[0] == 0
    assert relative_residual(a, 3 * a, LENGTHS, ALL)[0] == pytest.approx(2)
    assert shift_cosine(base, a, base + 5 * shift, LENGTHS, ALL)[0] == pytest.approx(1)
    assert shift_cosine(base, a, base - shift, LENGTHS, ALL)[0] == pytest.approx(-1)
    assert np.isnan(shift_cosine(base, a, base, LENGTHS, ALL)[0])
    assert np.isnan(relative_residual(0 * a, a, LENGTHS, ALL)[0])
    kept = OWNER < 4
    first_four = (np.arange(20) < 4).astype(float)[:, None]
    b = base + RNG.normal(size=base.shape)
    expected = np.linalg.norm((a - b)[kept]) / np.linalg.norm(a[kept])
    assert relative_residual(a, b, LENGTHS, first_four)[0] == pytest.approx(expected)
