"""Interpolation is of dW, exactly: against dense float64 weights, and unlike an interpolation of the factors."""

import json

import numpy as np
import pytest
import torch
from small_models import dense_update, save_adapter, small_model

from lossgeometry.errors import InputError
from lossgeometry.forward.adapted_model import attached
from lossgeometry.forward.losses import sequence_losses
from lossgeometry.forward.sequences import TokenSequence
from lossgeometry.updates.peft import Adapter

POINTS = (-0.5, 0.0, 0.3, 1.0, 1.5)
PAIRS = {
    "shared A": ({"a_seed": 7}, {"a_seed": 7}),
    "independent A": ({}, {}),
    "unequal ranks": ({"rank": 3}, {"rank": 6}),
    "other modules": ({"targets": ("q_proj", "v_proj")}, {"targets": ("v_proj", "o_proj")}),
    "rank-stabilised": ({"use_rslora": True}, {"rank": 2}),
}
TOKENS = torch.tensor([[3, 14, 15, 9, 26, 5], [35, 8, 9, 7, 9, 32]])


def make_pair(tmp_path, pair):
    options = PAIRS[pair]
    return [
        Adapter(save_adapter(tmp_path / name, seed, **more))
        for name, seed, more in zip("ab", (1, 2), options, strict=True)
    ]


def dense_logits(updates, tokens=TOKENS):
    """Logits of W0 + sum of weighted updates, with everything in float64."""
    model = small_model().double()
    with torch.no_grad():
        for weight, update in updates:
            for name, delta in update.items():
                model.get_submodule(name).weight += weight * torch.from_numpy(delta)
        return model(tokens).logits


@pytest.mark.parametrize("pair", PAIRS)
def test_logits_are_those_of_dense_weights(tmp_path, pair):
    a, b = make_pair(tmp_path, pair)
    model = small_model()
    with attached(model, [a, b]) as span, torch.no_grad():
        for t in POINTS:
            span.set_weights(torch.tensor([[1 - t, t]]))
            expected = dense_logits([(1 - t, dense_update(a)), (t, dense_update(b))])
            assert (model(TOKENS).logits - expected).abs().max() < 1e-5


@pytest.mark.parametrize("pair", ["shared A", "independent A"])
def test_averaging_the_factors_is_another_function(tmp_path, pair):
    a, b = make_pair(tmp_path, pair)
    t = 0.3
    exact = dense_logits([(1 - t, dense_update(a)), (t, dense_update(b))])
    averaged = {
        name: left.scale * ((1 - t) * left.b + t * right.b) @ ((1 - t) * left.a + t * right.a)
        for name in a.modules
        for left, right in [(a.factors(name), b.factors(name))]
    }
    missing = {
        name: left.scale * -t * (1 - t) * (left.b - right.b) @ (left.a - right.a)
        for name in a.modules
        for left, right in [(a.factors(name), b.factors(name))]
    }
    wrong = dense_logits([(1.0, averaged)])
    corrected = dense_logits([(1.0, averaged), (-1.0, missing)])
    assert (corrected - exact).abs().max() < 1e-10
    if pair == "shared A":
        assert (wrong - exact).abs().max() < 1e-10  # (A_1 - A_2) is zero
    else:
        assert (wrong - exact).abs().max() > 1e-2


def test_rows_of_one_batch_lie_at_their_own_points(tmp_path):
    adapters = make_pair(tmp_path, "unequal ranks")
    points = torch.tensor([[0.7, 0.3], [0.0, 1.0]])
    model = small_model()
    with attached(model, adapters) as span, torch.no_grad():
        span.set_weights(points)
        together = model(TOKENS).logits
        for row, point in enumerate(points):
            span.set_weights(point[None])
            assert (model(TOKENS).logits[row] - together[row]).abs().max() < 1e-5


def test_any_number_of_updates(tmp_path):
    adapters = [Adapter(save_adapter(tmp_path / str(seed), seed, rank=seed + 1)) for seed in range(3)]
    weights = [0.2, -0.4, 1.1]
    model = small_model()
    with attached(model, adapters) as span, torch.no_grad():
        span.set_weights(torch.tensor([weights]))
        expected = dense_logits(
            [(weight, dense_update(adapter)) for weight, adapter in zip(weights, adapters, strict=True)]
        )
        assert (model(TOKENS).logits - expected).abs().max() < 1e-5


def test_weights_and_model_are_untouched_afterwards(tmp_path):
    adapters = make_pair(tmp_path, "independent A")
    model = small_model()
    with torch.no_grad():
        before = model(TOKENS).logits
        with attached(model, adapters) as span:
            assert torch.equal(model(TOKENS).logits, before)  # all weights start at 0
            span.set_weights(torch.ones(1, 2))
            assert not torch.allclose(model(TOKENS).logits, before)
        assert torch.equal(model(TOKENS).logits, before)


def test_losses_are_mean_cross_entropies_of_the_completions(tmp_path):
    adapters = make_pair(tmp_path, "shared A")
    generator = np.random.default_rng(0)
    sequences = [
        TokenSequence(str(n), tuple(generator.integers(2, 61, p)), tuple(generator.integers(2, 61, c)))
        for n, (p, c) in enumerate([(3, 9), (1, 1), (12, 4), (5, 5)])
    ]
    points = np.array([[1.0, 0.0], [0.4, 0.6], [0.0, 0.0]])
    expected = np.empty((3, 4))
    for row, point in enumerate(points):
        for column, sequence in enumerate(sequences):
            tokens = torch.tensor([sequence.tokens])
            logits = dense_logits(list(zip(point, map(dense_update, adapters), strict=True)), tokens)[0]
            start = len(sequence.prompt)
            nats = torch.nn.functional.cross_entropy(logits[start - 1 : -1], tokens[0, start:])
            expected[row, column] = nats
    model = small_model()
    with attached(model, adapters) as span:
        for budget in (1, 40, 10_000):
            measured = sequence_losses(model, span, points, sequences, tokens_per_batch=budget)
            assert np.abs(measured - expected).max() < 1e-5


def test_an_adapter_of_another_model_is_refused(tmp_path):
    folder = save_adapter(tmp_path / "a", 1)
    other = small_model(layers=1)
    with (
        pytest.raises(InputError, match="does not have; compare adapters of this base model only"),
        attached(other, [Adapter(folder)]),
    ):
        pass
    narrow = small_model()
    narrow.model.layers[0].self_attn.q_proj = torch.nn.Linear(32, 8, bias=False)
    with pytest.raises(InputError, match="has shape"), attached(narrow, [Adapter(folder)]):
        pass
    config = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps(config | {"use_dora": True}))
    with pytest.raises(InputError, match="use_dora"):
        Adapter(folder)
