"""Equivalent adapters give equal measurements: gauge, sign, permutation, scale, exchange, duplicate, negation."""

import numpy as np
import pytest
from geometry_tools import compare, model


# Each case turns one adapter into another whose update is equal, or a known multiple.
def gauge(rng, b, a):
    turn = rng.standard_normal((len(a), len(a)))
    return b @ turn, np.linalg.solve(turn, a)


def rotation(rng, b, a):
    turn = np.linalg.qr(rng.standard_normal((len(a), len(a))))[0]
    return b @ turn, turn.T @ a


EQUAL_UPDATES = {
    "gauge": gauge,
    "rotation": rotation,
    "sign of both factors": lambda rng, b, a: (-b, -a),
    "permuted rank": lambda rng, b, a: (b[:, ::-1], a[::-1]),
    "zero columns added": lambda rng, b, a: (np.hstack([b, 0 * b]), np.vstack([a, a])),
    "scale moved from B to A": lambda rng, b, a: (b / 1e3, 1e3 * a),
}


@pytest.mark.parametrize("case", EQUAL_UPDATES)
def test_only_the_update_counts(tmp_path, case):
    rng = np.random.default_rng(3)
    x, y = model(rng, layers=2)
    turned = {m: EQUAL_UPDATES[case](rng, b, a) for m, (b, a) in y.items()}
    before, after = compare(tmp_path, x, y), compare(tmp_path / "turned", x, turned)
    assert before.keys() == after.keys()
    for key, row in before.items():
        assert after[key].value == pytest.approx(row.value, abs=1e-10), key
        # Chance on the input side turns B inside A as found: that is the A which was trained, and not any that gives dW.
        if case != "gauge" or row.side != "input":
            assert after[key].null_mean == pytest.approx(row.null_mean, abs=1e-10, nan_ok=True), key


SCALED = ("norm_b",)
NEGATED = ("cosine",)


@pytest.mark.parametrize("factor", [1e-6, -1.0, 1e4])
def test_scale_and_sign_change_only_what_they_should(tmp_path, factor):
    x, y = model(np.random.default_rng(4), layers=2)
    before = compare(tmp_path, x, y)
    after = compare(tmp_path / "scaled", x, {m: (factor * b, a) for m, (b, a) in y.items()})
    for key, row in before.items():
        expected = row.value * abs(factor) if key[4] in SCALED else row.value
        expected *= -1 if factor < 0 and key[4] in NEGATED else 1
        assert after[key].value == pytest.approx(expected, rel=1e-10, abs=1e-10), key


def test_swapping_the_two_swaps_their_own_quantities(tmp_path):
    x, y = model(np.random.default_rng(6), layers=2)
    forward, backward = compare(tmp_path, x, y, reference=0), compare(tmp_path / "back", y, x, reference=1)
    swap = {"_a": "_b", "_b": "_a"}
    for key, row in forward.items():
        metric = key[4][:-2] + swap[key[4][-2:]] if key[4][-2:] in swap else key[4]
        twin = backward[*key[:4], metric, *key[5:]]
        assert twin.value == pytest.approx(row.value, abs=1e-10), key
        assert twin.null_sd == pytest.approx(row.null_sd, abs=1e-10, nan_ok=True), key


def test_an_update_equals_itself_and_opposes_its_negative(tmp_path):
    x, _ = model(np.random.default_rng(7), layers=2)
    same = compare(tmp_path, x, x)
    opposite = compare(tmp_path / "negative", x, {m: (-b, a) for m, (b, a) in x.items()})
    expected = {"cosine": 1, "angle_first": 0, "angle_last": 0, "top_direction": 1, "gram_alignment": 1, "grassmann": 1}
    for key, row in same.items():
        if key[4] in expected:
            assert row.value == pytest.approx(expected[key[4]], abs=1e-10), key
            sign = -1 if key[4] == "cosine" else 1
            assert opposite[key].value == pytest.approx(sign * expected[key[4]], abs=1e-10), key
        if key[4] == "orthogonal_fraction":
            assert row.value == pytest.approx(0, abs=1e-10) and opposite[key].value == pytest.approx(0, abs=1e-10)


def test_permuted_coordinates_change_nothing(tmp_path):
    rng = np.random.default_rng(8)
    x, y = model(rng, layers=1)
    order = {m: (rng.permutation(len(b)), rng.permutation(a.shape[1])) for m, (b, a) in x.items()}
    permuted = [{m: (b[order[m][0]], a[:, order[m][1]]) for m, (b, a) in z.items()} for z in (x, y)]
    after = compare(tmp_path / "permuted", *permuted)
    for key, row in compare(tmp_path, x, y).items():
        assert after[key].value == pytest.approx(row.value, abs=1e-10), key
