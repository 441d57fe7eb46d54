"""Hidden states on disk, and what is made of them."""

import json

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from small_models import save_adapter, small_model

from lossgeometry.errors import InputError
from lossgeometry.forward.adapted_model import attached
from lossgeometry.forward.sequences import TokenSequence
from lossgeometry.representations.collection import first_tokens, until_enough_tokens
from lossgeometry.representations.comparison import COLUMNS, RANGES, compare, layers_of_block, open_states
from lossgeometry.representations.extraction import extract
from lossgeometry.representations.storage import RowWriter, open_rows
from lossgeometry.updates.peft import Adapter

DRAW = np.random.default_rng(0)


def sequence(name, prompt, completion):
    return TokenSequence(
        name, tuple(DRAW.integers(2, 61, prompt).tolist()), tuple(DRAW.integers(2, 61, completion).tolist())
    )


SOLUTIONS = [sequence(f"s{n}", 3 + n % 4, 5 + 3 * (n % 3)) for n in range(8)]
PROMPTS = [sequence(f"p{n}", 4 + n % 3, 1) for n in range(6)]


def states(tmp_path, name, adapter=None, budget=64, precision="float32", pooling="last", layers=3):
    model = small_model(layers=layers).to(getattr(torch, precision))
    with attached(model, [adapter] if adapter else []) as span:
        span.set_weights(torch.ones(1, int(adapter is not None)))
        extract(model, SOLUTIONS, PROMPTS, tmp_path / name, precision, pooling, budget)
    return open_states(tmp_path / name)


@pytest.fixture
def adapters(tmp_path):
    return [
        Adapter(save_adapter(tmp_path / name, seed, size=0.3)) for name, seed in (("adapter_a", 1), ("adapter_b", 2))
    ]


def test_states_are_those_of_each_sequence_alone_without_first_token_and_padding(tmp_path):
    model = small_model(layers=3)
    outputs = []
    handles = [
        layer.register_forward_hook(lambda _module, _inputs, output: outputs.append(output[0]))
        for layer in model.model.layers
    ]
    expected = {f"{kind}.{layer}": [] for kind in ("solutions", "prompts") for layer in range(3)}
    with torch.no_grad():
        for kind, token_lists in (
            ("solutions", [item.tokens for item in SOLUTIONS]),
            ("prompts", [item.prompt for item in PROMPTS]),
        ):
            for tokens in token_lists:
                outputs.clear()
                model(torch.tensor([tokens]))
                for layer, output in enumerate(outputs):
                    kept = output.reshape(len(tokens), -1)
                    expected[f"{kind}.{layer}"].append((kept[1:] if kind == "solutions" else kept[-1:]).numpy())
    for handle in handles:
        handle.remove()
    for budget in (1, 40, 10_000):
        found = states(tmp_path, f"states{budget}", budget=budget)
        assert set(found.tensors) == set(expected)
        for name, rows in expected.items():
            np.testing.assert_allclose(found.tensors[name][:], np.concatenate(rows), atol=1e-5)
    assert found.lengths.tolist() == [len(item.tokens) - 1 for item in SOLUTIONS]


def test_a_prompt_may_be_the_mean_of_its_tokens(tmp_path):
    prompts_only = states(tmp_path, "mean", pooling="mean").tensors["prompts.2"][:]
    assert not np.allclose(prompts_only, states(tmp_path, "last").tensors["prompts.2"][:])
    assert prompts_only.shape == (6, 32)


def test_an_update_changes_the_states(tmp_path, adapters):
    base, moved = states(tmp_path, "base"), states(tmp_path, "moved", adapters[0])
    assert not np.allclose(base.tensors["solutions.0"][:], moved.tensors["solutions.0"][:])
    assert base.tokens == moved.tokens


def test_bfloat16_states_are_stored_without_loss(tmp_path):
    found = states(tmp_path, "half", precision="bfloat16")
    assert found.tensors["solutions.1"].dtype.itemsize == 2
    whole = states(tmp_path, "whole").tensors["solutions.1"][:]
    assert np.abs(found.tensors["solutions.1"][:].astype(np.float32) - whole).max() < 0.05 * np.abs(whole).max()


def test_rows_may_be_written_in_any_order_into_a_valid_file(tmp_path):
    rows = DRAW.normal(size=(5, 3)).astype(np.float32)
    with RowWriter(tmp_path / "x", {"t": ("F32", (5, 3)), "u": ("F32", (1, 2))}, {"lengths": "[5]"}) as writer:
        writer.write("t", 3, rows[3:])
        writer.write("u", 0, np.array([[7.0, 8.0]]))
        writer.write("t", 0, rows[:3])
    assert np.array_equal(load_file(tmp_path / "x")["t"], rows)  # the reference reader
    tensors, metadata = open_rows(tmp_path / "x")
    assert np.array_equal(tensors["t"][:], rows) and np.array_equal(tensors["u"][:], [[7, 8]])
    assert np.array_equal(tensors["t"][1:3], rows[1:3]) and tensors["t"][7:].shape == (0, 3)
    assert metadata == {"lengths": "[5]"}


def test_any_split_of_the_layers_gives_the_same_rows(tmp_path, adapters):
    base, a, b = (states(tmp_path, name, adapter) for name, adapter in zip("0ab", (None, *adapters), strict=True))
    whole = compare(base, a, b, range(3), list(RANGES), draws=40, seed=0)
    for blocks in (1, 2, 3, 5):
        parts = [layers_of_block(3, block, blocks) for block in range(1, blocks + 1)]
        assert [layer for part in parts for layer in part] == [0, 1, 2]
        split = [row for part in parts for row in compare(base, a, b, part, list(RANGES), draws=40, seed=0)]
        assert json.dumps(split) == json.dumps(whole)


def test_values_and_intervals_of_a_pair(tmp_path, adapters):
    base, a, b = (states(tmp_path, name, adapter) for name, adapter in zip("0ab", (None, *adapters), strict=True))
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in compare(base, a, b, range(3), list(RANGES), 100, 0)]
    assert len(rows) == 15
    for row in rows:
        assert row["low"] <= row["value"] <= row["high"]
        assert row["value"] < 1 or row["estimator"] == "relative_residual"


def test_a_value_without_a_chance_level_says_why(tmp_path, adapters):
    base, a, b = (states(tmp_path, name, adapter) for name, adapter in zip("0ab", (None, *adapters), strict=True))
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in compare(base, a, b, [2], list(RANGES), 40, 0)]
    for row in rows:
        biased = row["estimator"] == "biased_prompts"
        assert np.isnan(row["null_mean"]) == biased and ("no chance level" in row["note"]) == biased
        assert row["null_mean"] == 0 or row["estimator"] in ("relative_residual", "biased_prompts")
    found = {row["estimator"]: row for row in rows}
    shifts = [of.tensors["solutions.2"][:].astype(float) - base.tensors["solutions.2"][:] for of in (a, b)]
    whole = np.linalg.norm(a.tensors["solutions.2"][:].astype(float))
    level = np.hypot(*map(np.linalg.norm, shifts)) / whole
    assert found["relative_residual"]["null_mean"] == pytest.approx(level, rel=1e-6)
    # The residual is the level less what the cosine accounts for.
    cosine = found["shift_cosine"]["value"] * np.prod([np.linalg.norm(shift) for shift in shifts]) / whole**2
    assert found["relative_residual"]["value"] == pytest.approx(np.sqrt(level**2 - 2 * cosine), rel=1e-6)


def test_a_model_against_itself_and_against_the_base(tmp_path, adapters):
    base, a = states(tmp_path, "base"), states(tmp_path, "a.st", adapters[0])
    same = {row[1]: row for row in compare(base, a, a, [2], list(RANGES), 40, 0)}
    for estimator in ("debiased", "debiased_standardised", "biased_prompts", "shift_cosine"):
        assert same[estimator][2] == pytest.approx(1)
    assert same["relative_residual"][2] == 0
    (row,) = compare(base, a, base, [2], ["shift_cosine"], 40, 0)
    assert np.isnan(row[2]) and row[-1] == "a model does not differ from the base here"


def test_states_of_other_tokens_are_refused(tmp_path, monkeypatch):
    base = states(tmp_path, "base")
    monkeypatch.setattr("test_representations_states.SOLUTIONS", SOLUTIONS[::-1])
    with pytest.raises(InputError, match="different tokens"):
        compare(base, base, states(tmp_path, "other"), [0], ["debiased"], 40, 0)


def test_a_sequence_is_cut_to_its_first_tokens():
    item = sequence("x", 3, 4)
    for tokens in (1, 3, 5, 9):
        assert first_tokens(item, tokens).tokens == item.tokens[:tokens]


def test_whole_sequences_until_there_are_enough_tokens():
    taken = list(until_enough_tokens(iter(SOLUTIONS), 12))
    kept = [len(item.tokens) - 1 for item in taken]
    assert taken == SOLUTIONS[: len(taken)]
    assert sum(kept) >= 12 > sum(kept[:-1])
    assert list(until_enough_tokens(iter(SOLUTIONS), 10_000)) == SOLUTIONS
