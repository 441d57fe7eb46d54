"""Compact decompositions and the files that hold them."""

import json

import numpy as np
import pytest
import safetensors.numpy
from geometry_tools import delta_of, name, random_factors, write_adapter

from lossgeometry.errors import InputError
from lossgeometry.files.safetensors import TensorFile, write_tensors
from lossgeometry.updates.peft import Adapter
from lossgeometry.updates.reduction import write_delta
from lossgeometry.updates.stored import Delta
from lossgeometry.updates.svd import GRAM_LIMIT, ONE_PASS, compact_svd, orthonormal_basis

SHAPES = [(40, 4, 12), (12, 4, 40), (8, 8, 8), (5, 8, 20), (20, 8, 5), (1, 1, 1), (6, 1, 9), (200, 32, 300)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("spread", [0, 3, 6, 12])
def test_decomposition_is_the_dense_one(shape, spread):
    b, a = random_factors(np.random.default_rng(1), *shape, spread)
    svd, dense = compact_svd(b, a, 1.7), 1.7 * b @ a
    s = np.linalg.svd(dense, compute_uv=False)
    rank = min(shape)
    np.testing.assert_allclose(svd.s, s[: svd.rank], atol=1e-12 * s[0])
    assert svd.rank == rank or s[svd.rank] < 1e-11 * s[0]
    np.testing.assert_allclose(svd.u * svd.s @ svd.v.T, dense, atol=1e-12 * s[0])
    np.testing.assert_allclose(svd.u.T @ svd.u, np.eye(svd.rank), atol=1e-13)
    np.testing.assert_allclose(svd.v.T @ svd.v, np.eye(svd.rank), atol=1e-13)


@pytest.mark.parametrize(
    "condition", [1.0, 2.0, 0.9 * ONE_PASS**0.5, 1e2, 0.5 * GRAM_LIMIT**0.5, 2 * GRAM_LIMIT**0.5, 1e12]
)
def test_bases_are_orthonormal_on_both_sides_of_the_conditioning_rule(condition):
    rng = np.random.default_rng(2)
    turn = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    x = np.linalg.qr(rng.standard_normal((100, 6)))[0] * np.geomspace(1, 1 / condition, 6) @ turn
    y, turn, r = orthonormal_basis(x)
    q = y @ turn
    np.testing.assert_allclose(q.T @ q, np.eye(6), atol=1e-14)
    np.testing.assert_allclose(q @ r, x, atol=1e-11)
    outside = np.linalg.svd(x)[0][:, 6:]
    assert np.abs(outside.T @ q[:, :3]).max() < 1e-10 or condition > 1e6


@pytest.mark.parametrize("d", [64, 256, 1024, 4096])
def test_bases_in_one_pass_are_orthonormal_to_the_stated_bound(d):
    x = np.random.default_rng(d).standard_normal((d, 32)) * np.geomspace(1, 1e-6, 32)
    y, turn, _ = orthonormal_basis(x)
    assert (y is x) == (d > 64)  # columns of random vectors are nearly orthogonal where they are long
    q = y @ turn
    assert np.linalg.norm(q.T @ q - np.eye(32), 2) < 2e-14


def test_a_delta_takes_one_pass_over_an_adapter(tmp_path, monkeypatch):
    write_adapter(tmp_path, {name(i, "q"): random_factors(np.random.default_rng(i), 9, 2, 8) for i in range(3)})
    adapter, read, reads = Adapter(tmp_path), TensorFile.read, []
    monkeypatch.setattr(TensorFile, "read", lambda file, tensor: reads.append(tensor) or read(file, tensor))
    write_delta(adapter, tmp_path / "delta.safetensors")
    assert len(reads) == 6 and len(set(reads)) == 6


def test_rank_is_the_numerical_rank():
    rng = np.random.default_rng(3)
    b, a = random_factors(rng, 30, 6, 20)
    assert compact_svd(b, a).rank == 6
    b[:, 5] = b[:, 0] + b[:, 1]
    assert compact_svd(b, a).rank == 5
    a[1] = a[5] = a[0]
    assert compact_svd(b, a).rank == 4
    assert compact_svd(0 * b, a).rank == 0 and compact_svd(b, 0 * a).s.shape == (0,)


def test_equal_updates_have_equal_signs():
    b, a = random_factors(np.random.default_rng(4), 30, 4, 20)
    turn = np.random.default_rng(5).standard_normal((4, 4))
    one, other = compact_svd(b, a), compact_svd(b @ turn, np.linalg.solve(turn, a))
    np.testing.assert_allclose(one.u, other.u, atol=1e-10)
    np.testing.assert_allclose(one.v, other.v, atol=1e-10)


def test_delta_file_keeps_the_contract_and_all_digits(tmp_path):
    factors = {name(i, p): random_factors(np.random.default_rng(i), 24, 4, 12) for i in (0, 1) for p in "qv"}
    delta = delta_of(tmp_path, factors, dtype="float32")
    stored = safetensors.numpy.load_file(tmp_path / "delta.safetensors")
    adapter = Adapter(tmp_path)
    for module in factors:
        u, s, v = (stored[f"{module}.{part}"] for part in "USV")
        assert (u.shape, s.shape, v.shape) == ((24, 4), (4,), (12, 4)) and u.dtype == s.dtype == v.dtype == np.float32
        b, a, scale = adapter.factors(module)
        np.testing.assert_allclose(u * s @ v.T, scale * b @ a, atol=1e-5)
        svd = delta.svd(module)
        np.testing.assert_allclose(svd.u * svd.s @ svd.v.T, scale * b @ a, atol=1e-13)
        np.testing.assert_allclose(svd.u.T @ svd.u, np.eye(4), atol=1e-14)
    assert delta.metadata["source"] == adapter.source
    assert json.loads(delta.metadata["scale"]) == 2 and json.loads(delta.metadata["rank"]) == 4


def test_single_precision_alone_is_made_orthonormal(tmp_path):
    delta = delta_of(tmp_path, {name(0, "q"): random_factors(np.random.default_rng(0), 24, 4, 12)})
    stored = safetensors.numpy.load_file(delta.path)
    bare = {key: value for key, value in stored.items() if not key.endswith("_low")}
    write_tensors(tmp_path / "bare", bare, {})
    svd, u, s, v = Delta(tmp_path / "bare").svd(name(0, "q")), *(bare[f"{name(0, 'q')}.{part}"] for part in "USV")
    np.testing.assert_allclose(svd.u.T @ svd.u, np.eye(4), atol=1e-14)
    exact = u.astype(float) * s @ v.T.astype(float)
    np.testing.assert_allclose(svd.u * svd.s @ svd.v.T, exact, atol=1e-14)


def test_zero_updates_are_kept_as_such(tmp_path):
    b, a = random_factors(np.random.default_rng(0), 24, 4, 12)
    delta = delta_of(tmp_path, {name(0, "q"): (0 * b, a)})
    assert delta.rank(name(0, "q")) == 0 and delta.adapter_rank(name(0, "q")) == 4
    assert delta.svd(name(0, "q")).shape == (24, 12)


def test_patterns_are_recorded_per_module(tmp_path):
    rng = np.random.default_rng(0)
    factors = {name(0, "q"): random_factors(rng, 9, 4, 8), name(0, "v"): random_factors(rng, 9, 2, 8)}
    delta = delta_of(tmp_path, factors, alpha_pattern={"v_proj": 5})
    assert [delta.adapter_rank(module) for module in delta.modules] == [4, 2]
    assert json.loads(delta.metadata["scale"]) == {name(0, "q"): 2, name(0, "v"): 2.5}


def test_files_are_reproducible_and_refuse_strangers(tmp_path):
    write_adapter(tmp_path, {name(0, "q"): random_factors(np.random.default_rng(0), 24, 4, 12)})
    for path in ("one", "two"):
        write_delta(Adapter(tmp_path), tmp_path / path)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    with pytest.raises(InputError, match="is no delta file"):
        Delta(tmp_path / "adapter_model.safetensors")
