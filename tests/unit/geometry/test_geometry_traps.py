"""Numerical traps of the pairwise geometry: the wrong number that each gives, and the right one that is measured."""

import math

import ml_dtypes
import numpy as np
import pytest
from geometry_tools import compare, delta_of, name, random_factors

from lossgeometry.files.safetensors import write_tensors
from lossgeometry.geometry.pairs import compare_pair
from lossgeometry.updates.loading import load

MODULE = name(0, "q")


def value(rows, metric, side="none", k=None):
    return rows["module", MODULE, 0, "q", metric, side, k].value


def test_concatenated_factors_are_no_update(tmp_path):
    """Unrelated B on one large A: the factors laid end to end look alike, the updates are not."""
    rng = np.random.default_rng(0)
    a = 50 * rng.standard_normal((4, 60))
    x, y = ((rng.standard_normal((80, 4)), a) for _ in range(2))
    flat = [np.concatenate([b.ravel(), a.ravel()]) for b, a in (x, y)]
    assert flat[0] @ flat[1] / np.linalg.norm(flat[0]) / np.linalg.norm(flat[1]) > 0.99
    rows = compare(tmp_path, {MODULE: x}, {MODULE: y})
    cosine = rows["module", MODULE, 0, "q", "cosine", "none", None]
    assert abs(cosine.value) < 4 * cosine.null_sd


def test_averaged_input_agreement_is_forced_by_a_shared_initialisation(tmp_path):
    """All directions of one A: the input sides coincide whatever the losses are, and no chance level is made up."""
    rng = np.random.default_rng(1)
    a = rng.standard_normal((4, 60))
    x, y = ((rng.standard_normal((80, 4)), a) for _ in range(2))
    rows = compare(tmp_path, {MODULE: x}, {MODULE: y}, k=4)
    row = rows["module", MODULE, 0, "q", "angle_last", "input", 4]
    assert row.value == pytest.approx(0, abs=1e-10) and math.isnan(row.null_sd)
    assert "no chance level" in row.note
    assert rows["module", MODULE, 0, "q", "angle_last", "output", 4].null_mean > 80


def test_small_angles_need_more_than_single_precision(tmp_path):
    """float32 arccosines floor at some hundredths of a degree."""
    rng = np.random.default_rng(2)
    x = random_factors(rng, 200, 4, 60)
    tilt = 1e-5
    y = (x[0] + math.radians(tilt) * np.linalg.norm(x[0]) / 30 * rng.standard_normal(x[0].shape), x[1])
    u, w = (np.linalg.svd((b @ a).astype(np.float32))[0][:, :4] for b, a in (x, y))
    rounded = np.degrees(np.arccos(np.minimum(np.linalg.svd(u.T @ w, compute_uv=False), np.float32(1))))
    found = value(compare(tmp_path, {MODULE: x}, {MODULE: y}, k=4), "angle_last", "output", 4)
    assert 1e-6 < found < 1e-4
    assert abs(rounded.max() - found) > 1e-3


def test_adapters_stored_in_bf16_lose_their_last_directions(tmp_path):
    """A copy rounded to bf16 is the same adapter for leading directions, and another one for the last of them."""
    rng = np.random.default_rng(3)
    factors = {MODULE: random_factors(rng, 300, 16, 200, spread=3)}
    exact = delta_of(tmp_path / "exact", factors)
    rounded = delta_of(tmp_path / "rounded", factors, dtype="bfloat16")
    last = {}
    for k in (4, 16):
        rows = {row[:7]: row for row in compare_pair(exact, rounded, ("a", "b"), k).rows}
        last[k] = value(rows, "angle_last", "output", k)
    assert last[4] < 1 and last[4] < last[16]
    assert value(rows, "cosine") > 0.9999


def test_checkpoints_in_bf16_hide_small_updates(tmp_path):
    """At a relative norm of 0.001 the difference of two bf16 checkpoints is far from the update, and says so."""
    rng = np.random.default_rng(4)
    base = rng.standard_normal((120, 80)).astype(ml_dtypes.bfloat16)
    b, a = random_factors(rng, 120, 4, 80)
    step = 1e-3 * np.linalg.norm(base.astype(float)) / np.linalg.norm(b @ a)
    tuned = (base.astype(float) + step * b @ a).astype(ml_dtypes.bfloat16)
    for folder, weight in (("base", base), ("tuned", tuned)):
        write_tensors(tmp_path / folder / "model.safetensors", {f"{MODULE}.weight": weight}, {})
    difference = load(tmp_path / "tuned", tmp_path / "base", rank=80)
    rows = compare_pair(delta_of(tmp_path / "true", {MODULE: (b, a)}), difference, ("a", "b"), 4).rows
    assert value({row[:7]: row for row in rows}, "cosine") < 0.8
    assert difference.changed < 0.5


def test_pooled_norms_do_not_lose_the_small_modules(tmp_path):
    """Sums run in float64 over modules whose norms differ by ten powers of ten."""
    rng = np.random.default_rng(5)
    scales = np.logspace(-5, 5, 8)
    x = {name(i, "q"): random_factors(rng, 20, 3, 20) for i in range(8)}
    x = {module: (scale * b, a) for scale, (module, (b, a)) in zip(scales, x.items(), strict=True)}
    rows = compare(tmp_path, x, x)
    assert rows["global", "", None, "", "cosine", "none", None].value == pytest.approx(1, abs=1e-12)
    for i, (b, a) in enumerate(x.values()):
        norm = rows["module", name(i, "q"), i, "q", "norm_a", "none", None].value
        assert norm == pytest.approx(2 * np.linalg.norm(b @ a), rel=1e-12)


def test_one_module_of_low_rank_does_not_shrink_the_angles_of_the_others(tmp_path):
    rng = np.random.default_rng(3)
    ranks = {name(i, p): 4 for i in range(10) for p in "qv"} | {name(7, "v"): 1}
    a, b = ({module: random_factors(rng, 12, rank, 10) for module, rank in ranks.items()} for _ in range(2))
    pair = compare_pair(delta_of(tmp_path / "a", a), delta_of(tmp_path / "b", b), ("a", "b"), 10)
    whole = {row.k: row for row in pair.rows if row.scope == "global" and row[4:6] == ("angle_first", "output")}
    assert set(whole) == {4, 10} and math.isnan(whole[10].value) and not math.isnan(whole[4].value)
    assert "1 of 20 modules left out: fewer than 4 directions: rank 1 in a and rank 1 in b" in whole[4].note
    assert {row.i for row in pair.maps} == {1, 2, 3, 4}
