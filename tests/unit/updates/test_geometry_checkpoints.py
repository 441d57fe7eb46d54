"""Full fine-tunes as deltas."""

import json
import subprocess
import sys

import numpy as np
import pytest
from geometry_tools import dense_metrics, name, random_factors, write_adapter

from lossgeometry.errors import InputError
from lossgeometry.files import safetensors as tensors
from lossgeometry.files.safetensors import write_tensors
from lossgeometry.geometry.comparison import compare
from lossgeometry.geometry.pairs import compare_pair
from lossgeometry.provenance import SCRIPTS
from lossgeometry.updates import full as checkpoints
from lossgeometry.updates.full import read_fine_tunes, truncated_svd
from lossgeometry.updates.loading import load
from lossgeometry.updates.reduction import write_delta
from lossgeometry.updates.stored import Delta


def model(rng, dtype=np.float64):
    weights = {f"{name(i, p)}.weight": rng.standard_normal((20, 16)) for i in range(2) for p in "qv"}
    weights |= {"model.embed_tokens.weight": rng.standard_normal((30, 16)), "model.layers.0.norm.weight": np.ones(16)}
    return {key: value.astype(dtype) for key, value in weights.items()}


def save(folder, weights):
    write_tensors(folder / "model.safetensors", weights, {})
    return folder


def tuned(base, rng, rank=16):
    """Return the base plus an update of the given rank in every matrix."""
    moved = dict(base)
    for key, value in base.items():
        if value.ndim == 2:
            moved[key] = value + 0.01 * rng.standard_normal((len(value), rank)) @ rng.standard_normal((rank, 16))
    return moved


def test_differences_of_checkpoints_are_their_updates(tmp_path):
    rng = np.random.default_rng(0)
    base = model(rng)
    one, two = tuned(base, rng), tuned(base, rng, rank=3)
    folders = [save(tmp_path / "base", base), save(tmp_path / "one", one), save(tmp_path / "two", two)]
    a, b = read_fine_tunes(folders[0], folders[1:], rank=16)
    assert a.skipped == {
        "model.embed_tokens.weight": "outside the numbered layers",
        "model.layers.0.norm.weight": "no matrix",
    }
    module = name(1, "v")
    assert a.modules == [name(0, "q"), name(0, "v"), name(1, "q"), module] and b.rank(module) == 3
    rows = {row[:7]: row for row in compare_pair(a, b, ("a", "b"), 3).rows}
    updates = [moved[f"{module}.weight"] - base[f"{module}.weight"] for moved in (one, two)]
    for key, expected in dense_metrics(*updates, 3).items():
        if key[0] not in ("effective_rank_b", "effective_rank_squared_b"):  # rounding of the sum fills up the rank
            assert rows["module", module, 1, "v", *key].value == pytest.approx(expected, abs=1e-10), key


def test_truncation_is_recorded(tmp_path):
    rng = np.random.default_rng(1)
    base = model(rng)
    moved = tuned(base, rng)
    folders = save(tmp_path / "base", base), save(tmp_path / "tuned", moved)
    write_delta(load(folders[1], folders[0], rank=4), tmp_path / "d")
    delta = Delta(tmp_path / "d")
    key = name(0, "q")
    s = np.linalg.svd(moved[f"{key}.weight"] - base[f"{key}.weight"], compute_uv=False)
    np.testing.assert_allclose(delta.svd(key).s, s[:4], rtol=1e-12)
    assert delta.left_out[key] == pytest.approx(np.sum(s[4:] ** 2) / np.sum(s**2))
    assert json.loads(delta.metadata["left_out"]).keys() == set(delta.modules)


def test_each_tensor_of_the_base_is_read_once(tmp_path, monkeypatch):
    rng = np.random.default_rng(2)
    base = model(rng)
    folders = [save(tmp_path / "base", base), *(save(tmp_path / str(i), tuned(base, rng)) for i in range(3))]
    reads = []
    read = tensors.TensorFile.read
    monkeypatch.setattr(tensors.TensorFile, "read", lambda file, key: reads.append((file.path, key)) or read(file, key))
    read_fine_tunes(folders[0], folders[1:], rank=4)
    assert len(reads) == len(set(reads)) == 4 * 4


def test_large_matrices_are_decomposed_by_iteration_as_well_as_in_full(monkeypatch):
    rng = np.random.default_rng(3)
    u, v = (np.linalg.qr(rng.standard_normal((size, 120)))[0] for size in (150, 140))
    for decay in (0.1, 0.002):  # the second spectrum is too flat to converge
        matrix = u * np.exp(-decay * np.arange(120)) @ v.T
        full = truncated_svd(matrix, 6)
        monkeypatch.setattr(checkpoints, "_DENSE_UP_TO", 10)
        iterated = truncated_svd(matrix, 6)
        monkeypatch.undo()
        np.testing.assert_allclose(iterated.s, full.s, rtol=1e-12)
        np.testing.assert_allclose(iterated.u, full.u, atol=1e-6)


def test_strangers_are_refused(tmp_path):
    save(tmp_path / "base", {"model.layers.0.q.weight": np.ones((3, 3))})
    save(tmp_path / "other", {"model.layers.0.q.weight": np.ones((3, 4))})
    with pytest.raises(InputError, match="share no weight matrix"):
        load(tmp_path / "other", tmp_path / "base")


def gpt2(rng, conv1d):
    """Return base weights and an update of every matrix of GPT-2's blocks, (outputs, inputs)."""
    shapes = {"attn.c_attn": (24, 8), "attn.c_proj": (8, 8), "mlp.c_fc": (32, 8), "mlp.c_proj": (8, 32)}
    factors = {f"h.{i}.{part}": random_factors(rng, m, 2, n) for i in range(2) for part, (m, n) in shapes.items()}
    turn = np.transpose if conv1d else np.asarray
    base = {f"{module}.weight": turn(rng.standard_normal((len(b), a.shape[1]))) for module, (b, a) in factors.items()}
    tuned = {f"{module}.weight": base[f"{module}.weight"] + turn(2 * b @ a) for module, (b, a) in factors.items()}
    return factors, base, tuned


@pytest.mark.slow
@pytest.mark.parametrize("conv1d", [True, False])
def test_a_fine_tune_is_the_adapter_it_was_merged_from_whichever_way_round_the_base_is_stored(tmp_path, conv1d):
    """GPT-2 stores (inputs, outputs); others took over the names of its modules, for linear layers."""
    factors, base, tuned = gpt2(np.random.default_rng(6), conv1d)
    save(tmp_path / "base", base), save(tmp_path / "tuned", tuned)
    adapter = load(write_adapter(tmp_path / "adapter", factors, fan_in_fan_out=conv1d))
    merged = load(tmp_path / "tuned", tmp_path / "base")
    assert merged.modules == adapter.modules and merged.transposed == adapter.transposed
    write_delta(merged, tmp_path / "delta.safetensors")
    stored = load(tmp_path / "delta.safetensors")
    assert stored.transposed == (set(factors) if conv1d else set())
    for row in compare(adapter, stored, 2).rows:
        if row.metric == "cosine":
            assert row.value == pytest.approx(1, abs=1e-12), row


def test_gpt2_itself_is_read_as_its_adapter(tmp_path):
    torch, peft = pytest.importorskip("torch"), pytest.importorskip("peft")
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(n_layer=2, n_head=2, n_embd=16, vocab_size=50, n_positions=16)).double()
    model.save_pretrained(tmp_path / "base")
    config = peft.LoraConfig(r=2, target_modules=["c_attn", "c_proj", "c_fc"], fan_in_fan_out=True)
    model = peft.get_peft_model(model, config)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data.normal_()
    model.save_pretrained(tmp_path / "adapter")
    model.merge_and_unload().save_pretrained(tmp_path / "tuned")
    adapter, tuned = load(tmp_path / "adapter"), load(tmp_path / "tuned", tmp_path / "base")
    assert tuned.modules == adapter.modules and tuned.transposed == adapter.transposed == set(adapter.modules)
    cosines = [row.value for row in compare(adapter, tuned, 2).rows if row.metric == "cosine"]
    np.testing.assert_allclose(cosines, 1, atol=1e-6)


def test_a_fine_tune_whose_tensors_have_another_prefix_is_read(tmp_path):
    """The hub's GPT-2 says `h.0`, what is saved from a language model of it says `transformer.h.0`."""
    rng = np.random.default_rng(8)
    base = model(rng)
    moved = tuned(base, rng)
    save(tmp_path / "base", base), save(tmp_path / "same", moved)
    save(tmp_path / "other", {f"language_model.{key}": value for key, value in moved.items()})
    same, other = (load(tmp_path / folder, tmp_path / "base") for folder in ("same", "other"))
    assert other.modules == same.modules and other.source == same.source


def heavy_imports(names):
    """Return which heavy packages end up in memory when modules of the geometry are imported."""
    code = f"import {', '.join(f'lossgeometry.{name}' for name in names)}, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=SCRIPTS, check=True)
    return {"torch", "transformers", "pandas", "scipy"} & set(done.stdout.split())


def test_nothing_imports_torch_and_the_jobs_of_single_pairs_import_numpy_only():
    rooms = ("geometry", "updates")
    everything = [f"{room}.{path.stem}" for room in rooms for path in (SCRIPTS / "lossgeometry" / room).glob("*.py")]
    assert heavy_imports(everything) <= {"pandas", "scipy"}
    assert not heavy_imports(
        ["updates.peft", "updates.stored", "updates.full", "geometry.pairs", "files.parquet", "geometry.overview"]
    )
