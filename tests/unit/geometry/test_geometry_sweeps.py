"""Seeds and learning rates: Gram matrices of many runs, noise ceilings, shares of variance, rotations."""

import numpy as np
import pytest
from geometry_tools import delta_of, name, random_factors

from lossgeometry.errors import InputError
from lossgeometry.geometry.grams import normalised, run_grams
from lossgeometry.geometry.sweeps import RunLabel, compare_sweeps, decompose, noise_ceilings, rotations


def label(method, seed, rate=0.1, default=True):
    return RunLabel(f"{method}.lr{rate:g}.s{seed}", method, rate, seed, str(seed), default)


def test_grams_are_those_of_dense_updates(tmp_path):
    modules = {name(0, "q"): (12, 4, 10), name(0, "v"): (8, 4, 12)}
    runs = []
    for index in range(3):
        rng = np.random.default_rng(index)
        factors = {module: random_factors(rng, *shape) for module, shape in modules.items()}
        if index == 1:
            factors[name(0, "v")] = (0 * factors[name(0, "v")][0], factors[name(0, "v")][1])
            factors["lm_head"] = random_factors(rng, 5, 4, 6)
        runs.append((delta_of(tmp_path / str(index), factors), factors))
    grams = run_grams([delta for delta, _ in runs], list("abc"))

    def norm(x):
        """Squared norm of what x adds to a multiple of the identity."""
        return np.sum((x - np.trace(x) / len(x) * np.eye(len(x))) ** 2)

    for i, (_, x) in enumerate(runs):
        for j, (_, y) in enumerate(runs):
            dense = [(2 * x[m][0] @ x[m][1], 2 * y[m][0] @ y[m][1]) for m in modules]
            assert grams.weights[i, j] == pytest.approx(sum(np.sum(p * q) for p, q in dense), abs=1e-10)
            outputs = sum(np.sum((p @ p.T) * (q @ q.T)) for p, q in dense)
            assert grams.outputs[i, j] == pytest.approx(outputs, rel=1e-10)
            norms = [(np.sum(p**2) * np.sum(q**2), p.shape) for p, q in dense]
            assert grams.outputs_mean[i, j] == pytest.approx(sum(square / m for square, (m, _) in norms), rel=1e-10)
            outputs_turned = sum(np.sum((p @ q.T) ** 2) / len(p) for p, q in dense)
            inputs_turned = sum(np.sum((p.T @ q) ** 2) / p.shape[1] for p, q in dense)
            assert grams.weights_sd[i, j] == pytest.approx(np.sqrt(max(outputs_turned, inputs_turned)), rel=1e-10)
            spread = [norm(p @ p.T) * norm(q @ q.T) / (len(p) - 1) / (len(p) + 2) for p, q in dense]
            assert grams.outputs_sd[i, j] == pytest.approx(np.sqrt(2 * sum(spread)), rel=1e-8)


def test_runs_with_nothing_in_common_are_refused(tmp_path):
    rng = np.random.default_rng(0)
    deltas = [delta_of(tmp_path / p, {name(0, p): random_factors(rng, 6, 2, 6)}) for p in "qv"]
    with pytest.raises(InputError, match="a, b have no module"):
        run_grams(deltas, ["a", "b"])


def planted(method_size, seed_size, common=1.0, methods=3, seeds=4):
    """Return cosines and labels of updates that are sums of orthogonal parts: common, the method, the seed, own."""
    labels = [label(f"m{i}", j) for i in range(methods) for j in range(seeds)]
    gram = common + np.zeros((len(labels),) * 2)
    for i, a in enumerate(labels):
        for j, b in enumerate(labels):
            gram[i, j] += method_size * (a.method == b.method) + seed_size * (a.seed == b.seed) + (i == j)
    return normalised(gram), labels


def test_shares_add_up_and_find_what_was_planted():
    for method_size, seed_size in ((3.0, 0.0), (0.0, 3.0), (2.0, 1.0)):
        similarity, labels = planted(method_size, seed_size)
        rows = {row.term: row for row in decompose("cosine", similarity, labels)}
        total = 2 + method_size + seed_size
        # Sums of squares of a balanced layout: (M - 1) S (method / S' + own / (M S)) and so on, over M S in total.
        assert rows["method"].share == pytest.approx(2 * (4 * method_size + 1) / 12 / total)
        assert rows["seed"].share == pytest.approx(3 * (3 * seed_size + 1) / 12 / total)
        assert rows["remainder"].share == pytest.approx(6 / 12 / total)
        assert sum(row.share for row in rows.values()) == pytest.approx(1)
        assert sum(row.chance for row in rows.values()) == pytest.approx(1)


def test_orthogonal_updates_sit_at_chance():
    _, labels = planted(0, 0)
    for row in decompose("cosine", np.eye(len(labels)), labels):
        assert row.share == pytest.approx(row.chance)


def test_shares_equal_an_explicit_analysis_of_variance():
    rng = np.random.default_rng(1)
    updates = rng.standard_normal((3, 2, 50)) + rng.standard_normal((3, 1, 50)) + rng.standard_normal((1, 2, 50))
    updates /= np.linalg.norm(updates, axis=2, keepdims=True)
    flat = updates.reshape(6, 50)
    rows = {row.term: row.share for row in decompose("c", flat @ flat.T, planted(0, 0, seeds=2)[1])}
    mean = updates.mean(axis=(0, 1))
    by_method, by_seed = updates.mean(axis=1) - mean, updates.mean(axis=0) - mean
    assert rows["common"] == pytest.approx(mean @ mean)
    assert rows["method"] == pytest.approx(np.sum(by_method**2) / 3)
    assert rows["seed"] == pytest.approx(np.sum(by_seed**2) / 2)


def test_an_order_replicate_of_one_method_does_not_empty_the_layout():
    """Before: no method but one had "every" seed, and the table was empty."""
    similarity, labels = planted(2.0, 1.0)
    again = [*range(len(labels)), 0]
    more = decompose("cosine", similarity[np.ix_(again, again)], [*labels, labels[0]._replace(seed="42-o123")])
    assert more == decompose("cosine", similarity, labels) != []


def test_methods_without_every_seed_stay_out_of_the_balanced_layout():
    similarity, labels = planted(1.0, 1.0)
    rows = decompose("cosine", similarity[:-1, :-1], labels[:-1])
    assert {(row.methods, row.seeds) for row in rows} == {(2, 4)}
    assert decompose("cosine", similarity[:4, :4], labels[:4]) == []


def test_noise_ceiling_of_methods_that_are_one():
    """Two names of one method: different seeds resemble each other as much as a method does itself."""
    similarity, labels = planted(0.0, 0.0)
    zeros = np.zeros_like(similarity)
    for row in noise_ceilings("cosine", similarity, zeros, zeros, labels):
        assert row.ratio == pytest.approx(1) and row.within_a == pytest.approx(0.5) and row.note == ""


def test_noise_ceiling_compares_across_seeds_only():
    similarity, labels = planted(2.0, 5.0)
    row = noise_ceilings("cosine", similarity, 0 * similarity, 0 * similarity, labels)[0]
    assert (row.same_seed, row.other_seed) == pytest.approx((6 / 9, 1 / 9))
    assert row.ratio == pytest.approx((1 / 9) / (3 / 9))


def test_a_shared_initialisation_is_not_another_seed():
    labels = [label("x", 1), label("x", 1)._replace(seed="1-o2"), label("y", 1), label("y", 3)]
    zeros = np.zeros((4, 4))
    assert noise_ceilings("cosine", np.eye(4), zeros, zeros, labels) == []


def test_a_method_unlike_itself_has_no_ceiling():
    similarity, labels = planted(0.0, 0.0, seeds=2)
    similarity[0, 1] = similarity[1, 0] = -0.1
    rows = noise_ceilings("cosine", similarity, 0 * similarity, 0 * similarity, labels)
    noted = [row for row in rows if row.note]
    assert {row.method_a for row in noted} == {"m0"} and all(np.isnan(row.ratio) for row in noted)


def test_rotation_along_learning_rates():
    """A rescaled update keeps its direction; a turned one does not; other seeds and methods are not mixed in."""
    vectors = np.array([[1.0, 0], [10, 0], [0, 3], [5, 5]])
    labels = [label("x", 1, 0.1), label("x", 1, 1.0), label("x", 1, 0.01), label("x", 2, 1.0)]
    gram = vectors @ vectors.T
    rows = rotations(gram, normalised(gram**2), labels)
    found = {(row.rate_a, row.rate_b): row for row in rows}
    assert found.keys() == {(0.01, 0.1), (0.01, 1.0), (0.1, 1.0)}
    rescaled, turned = found[0.1, 1.0], found[0.01, 0.1]
    assert (rescaled.cosine, rescaled.angle, rescaled.norm_ratio) == pytest.approx((1, 0, 10))
    assert (turned.cosine, turned.angle, turned.norm_ratio) == pytest.approx((0, 90, 1 / 3))
    assert rescaled.rate_ratio == pytest.approx(10)


def test_seeds_are_compared_at_default_rates_and_in_both_measures(tmp_path):
    labels, deltas = [], []
    for method in "xy":
        for seed, rate in ((1, 0.1), (2, 0.1), (1, 1.0)):
            labels.append(label(method, seed, rate, default=rate == 0.1))
            rng = np.random.default_rng(len(labels))
            deltas.append(delta_of(tmp_path / labels[-1].run, {name(0, "q"): random_factors(rng, 8, 2, 8)}))
    sweeps = compare_sweeps(run_grams(deltas, [entry.run for entry in labels]), labels)
    assert [row.measure for row in sweeps.ceilings] == ["cosine", "output_gram_alignment"]
    assert {(row.methods, row.seeds) for row in sweeps.shares} == {(2, 2)} and len(sweeps.shares) == 8
    assert [(row.method, row.rate_ratio) for row in sweeps.rates] == [("x", 10), ("y", 10)]
