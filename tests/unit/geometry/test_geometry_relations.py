"""Updates beside the weights that they change: definitions on dense matrices, and the levels of random updates."""

import math

import ml_dtypes
import numpy as np
import pytest
from geometry_tools import assert_within_four_standard_errors, delta_of, name, random_factors

from lossgeometry.base_relations.relations import count_intruders, relate_module, relate_run
from lossgeometry.base_relations.spectra import BaseSpectra, decompose_base
from lossgeometry.errors import InputError
from lossgeometry.files.safetensors import TensorFolder, write_tensors
from lossgeometry.geometry.nulls import Null
from lossgeometry.updates.svd import compact_svd


def matrix(rng, m=60, n=40):
    """Return a weight matrix with a decaying spectrum, and its decomposition."""
    u, s, vt = np.linalg.svd(rng.standard_normal((m, n)) @ np.diag(np.geomspace(1, 0.1, n)), full_matrices=False)
    return u * s @ vt, (u, s, vt.T)


def update(rng, size, m=60, n=40, r=4):
    svd = compact_svd(*random_factors(rng, m, r, n))
    return svd._replace(s=svd.s * size / np.linalg.norm(svd.s))


def test_relations_are_their_definitions():
    rng = np.random.default_rng(0)
    weight, spectrum = matrix(rng)
    change = update(rng, 0.3 * np.linalg.norm(weight))
    dense = change.u * change.s @ change.v.T
    found = {key[0]: item.value for key, item in relate_module(weight, spectrum, change, 5).items()}
    sigma = np.linalg.svd(weight, compute_uv=False), np.linalg.svd(weight + dense, compute_uv=False)
    assert found["relative_norm"] == pytest.approx(0.3, abs=1e-10)
    shift = np.linalg.norm(sigma[1] - sigma[0]) / np.linalg.norm(sigma[0])
    assert found["spectral_shift"] == pytest.approx(shift, abs=1e-10)
    directions = np.linalg.svd(weight + dense)[0][:, :5]
    cosines = np.abs(np.linalg.svd(weight)[0][:, :40].T @ directions).max(axis=0)
    assert found["intruders"] == np.sum(cosines < 0.5)
    rounded = [x.astype(ml_dtypes.bfloat16).astype(float) for x in (weight, weight + dense)]
    changed = rounded[0] != rounded[1]
    assert found["bf16_visible"] == changed.mean()
    kept = (rounded[1] - rounded[0]).ravel()
    cosine = kept @ dense.ravel() / np.linalg.norm(kept) / np.linalg.norm(dense)
    assert found["bf16_cosine"] == pytest.approx(cosine, abs=1e-10)
    u, s, v = spectrum
    for metric, score in (
        ("principal_overlap", np.abs(u[:, :5] * s[:5] @ v[:, :5].T)),
        ("low_magnitude_overlap", -np.abs(weight)),
    ):
        tenth = score >= np.sort(score, axis=None)[-240]
        assert found[metric] == pytest.approx((changed & tenth).sum() / changed.sum(), abs=1e-10)


def test_directions_and_changed_entries_are_their_definitions():
    rng = np.random.default_rng(10)
    weight, spectrum = matrix(rng)
    change = update(rng, 2e-3 * np.linalg.norm(weight))
    dense = change.u * change.s @ change.v.T
    found = {key[:2]: item.value for key, item in relate_module(weight, spectrum, change, 3).items()}
    u, s, v = (part[..., :3] for part in spectrum)
    for side, part in (("output", u @ u.T @ dense), ("input", dense @ v @ v.T)):
        cosine = np.sum(part * dense) / np.linalg.norm(part) / np.linalg.norm(dense)
        assert found["base_cosine", side] == pytest.approx(cosine, abs=1e-12)
    cosines = np.linalg.svd(u.T @ np.linalg.svd(dense)[0][:, :3], compute_uv=False)
    assert found["base_angle", "output"] == pytest.approx(np.degrees(np.arccos(cosines[0])), abs=1e-9)

    def changed(dense):
        return np.abs(dense) > 1e-3 * np.maximum(np.abs(weight), np.abs(weight + dense))

    assert found["sparsity", "none"] == 1 - changed(dense).mean()
    half = changed(dense / 2)
    assert found["sparsity_at_equal_norm", "none"] == pytest.approx(1 - half.mean())
    for metric, score in (("changed_principal", np.abs(u * s @ v.T)), ("changed_low_magnitude", -np.abs(weight))):
        tenth = score >= np.sort(score, axis=None)[-240]
        assert found[metric, "none"] == pytest.approx((half & tenth).sum() / half.sum())


def test_at_an_equal_norm_size_is_no_difference():
    """Two sizes of one direction: one leaves more entries unchanged, and at an equal norm they are the same."""
    rng = np.random.default_rng(11)
    weight, spectrum = matrix(rng)
    change = update(rng, 1e-4 * np.linalg.norm(weight))
    small, large = (
        {key[0]: item.value for key, item in relate_module(weight, spectrum, one, 3).items()}
        for one in (change, change._replace(s=100 * change.s))
    )
    assert small["sparsity"] > large["sparsity"] + 0.2
    for metric in ("sparsity_at_equal_norm", "changed_principal", "changed_low_magnitude", "base_cosine", "base_angle"):
        assert small[metric] == pytest.approx(large[metric], abs=1e-12)


def test_spectral_shift_of_random_updates():
    rng = np.random.default_rng(1)
    weight, spectrum = matrix(rng)
    changes = [update(rng, 1e-4, r=8) for _ in range(200)]
    items = [relate_module(weight, spectrum, change, 3)["spectral_shift", "none", 0] for change in changes]
    scores = [(item.value - item.null.mean) / item.null.sd for item in items]
    assert_within_four_standard_errors(scores, Null(0.0, 1.0))


def test_random_updates_sit_at_their_own_level():
    """Small entries change visibly under any update: the level of the overlap is not a tenth."""
    rng = np.random.default_rng(2)
    weight, spectrum = matrix(rng)
    found = [relate_module(weight, spectrum, update(rng, 1e-2), 3) for _ in range(20)]
    for key in found[0]:
        if key[0] not in ("relative_norm", "spectral_shift", "intruders"):
            values, nulls = ([item[key].value for item in found], [item[key].null.mean for item in found])
            spread = np.hypot(np.std(values), np.std(nulls))
            assert abs(np.mean(values) - np.mean(nulls)) < 4 * spread / math.sqrt(20), key
    low = [item["low_magnitude_overlap", "none", 0].null.mean for item in found]
    assert np.mean(low) > 0.15


def test_intruders_are_new_directions():
    rng = np.random.default_rng(3)
    basis = np.linalg.qr(rng.standard_normal((300, 40)))[0]
    base, new = basis[:, :30], basis[:, 30:]
    mixed = 0.6 * base[:, :2] + 0.8 * new[:, :2]
    assert count_intruders(np.hstack([base[:, :3], mixed, new[:, :4]]), base) == 4


def test_a_large_random_update_intrudes_and_a_small_one_does_not():
    rng = np.random.default_rng(4)
    weight, spectrum = matrix(rng)
    for size, expected in ((1e-3, 0), (30.0, 4)):
        item = relate_module(weight, spectrum, update(rng, size * np.linalg.norm(weight)), 4)["intruders", "output", 4]
        assert item.value == expected and item.null.mean == pytest.approx(expected, abs=1)


def test_updates_below_bf16_are_invisible():
    rng = np.random.default_rng(5)
    weight, spectrum = matrix(rng)
    weight = weight.astype(ml_dtypes.bfloat16).astype(float)
    found = {key[0]: item for key, item in relate_module(weight, spectrum, update(rng, 1e-9), 3).items()}
    assert found["bf16_visible"].value == 0
    assert found["bf16_cosine"] == found["principal_overlap"] == "no entry changes in bf16"


@pytest.fixture
def base(tmp_path):
    rng = np.random.default_rng(6)
    weights = {f"{name(i, p)}.weight": matrix(rng)[0] for i in range(2) for p in "qv"}
    weights["model.embed_tokens.weight"] = rng.standard_normal((50, 40))
    write_tensors(tmp_path / "base" / "model.safetensors", weights, {})
    return tmp_path / "base"


def test_runs_are_related_at_every_scope(base, tmp_path):
    rng = np.random.default_rng(7)
    factors = {name(i, p): random_factors(rng, 60, 3, 40) for i in range(2) for p in "qv"}
    factors[name(0, "q")] = (0 * factors[name(0, "q")][0], factors[name(0, "q")][1])
    delta = delta_of(tmp_path / "run", factors)
    decompose_base(base, ["q_proj", "v_proj"], tmp_path / "spectra")
    rows = relate_run(delta, BaseSpectra(tmp_path / "spectra"), TensorFolder(base), "run", 3)
    assert {row.scope for row in rows} == {"global", "projection", "layer", "module"}
    relative = {row.module or row.scope: row for row in rows if row.metric == "relative_norm"}
    assert relative[name(0, "q")].note == "zero update" and math.isnan(relative[name(0, "q")].value)
    live = [relative[name(*place)].value for place in ((0, "v"), (1, "q"), (1, "v"))]
    assert relative["global"].value == pytest.approx(np.mean(live))


def test_the_base_is_decomposed_as_asked(base, tmp_path):
    decompose_base(base, ["v_proj"], tmp_path / "one")
    assert name(0, "v") in BaseSpectra(tmp_path / "one") and name(0, "q") not in BaseSpectra(tmp_path / "one")
    decompose_base(base, [], tmp_path / "all")
    assert name(0, "q") in BaseSpectra(tmp_path / "all")
    assert "model.embed_tokens" not in BaseSpectra(tmp_path / "all")
    u, s, v = BaseSpectra(tmp_path / "all").read(name(1, "q"))
    weight = TensorFolder(base).read(f"{name(1, 'q')}.weight")
    np.testing.assert_allclose(u * s @ v.T, weight, atol=1e-5)
    with pytest.raises(InputError, match="no weight matrix named down_proj"):
        decompose_base(base, ["down_proj"], tmp_path / "none")


def test_weights_stored_as_inputs_by_outputs_are_turned(tmp_path):
    rng = np.random.default_rng(8)
    weight, _ = matrix(rng)
    factors = {"h.0.c_attn": random_factors(rng, 60, 3, 40)}
    values = []
    for stored, transposed in ((weight, False), (weight.T, True)):
        folder = tmp_path / str(transposed)
        write_tensors(folder / "model.safetensors", {"h.0.c_attn.weight": np.ascontiguousarray(stored)}, {})
        decompose_base(folder, [], folder / "spectra")
        delta = delta_of(folder / "run", factors, fan_in_fan_out=transposed)
        rows = relate_run(delta, BaseSpectra(folder / "spectra"), TensorFolder(folder), "run", 3)
        values.append([row.value for row in rows])
    np.testing.assert_allclose(values[0], values[1], atol=1e-6)


def test_a_foreign_base_is_refused(base, tmp_path):
    delta = delta_of(tmp_path / "run", {name(0, "q"): random_factors(np.random.default_rng(9), 61, 3, 40)})
    decompose_base(base, [], tmp_path / "spectra")
    with pytest.raises(InputError, match="run updates model.layers.0.self_attn.q_proj .*not in this shape"):
        relate_run(delta, BaseSpectra(tmp_path / "spectra"), TensorFolder(base), "run", 3)
