"""Divergences are those of dense float64 models, over the whole vocabulary, at every token."""

import numpy as np
import pytest
import torch
from small_models import dense_update, save_adapter, small_model

from lossgeometry.behaviour import divergence
from lossgeometry.behaviour.divergence import MEASURES, divergences
from lossgeometry.forward.adapted_model import attached
from lossgeometry.forward.sequences import TokenSequence
from lossgeometry.updates.peft import Adapter

SEQUENCES = [
    TokenSequence("short", (3, 14), (15, 9, 26)),
    TokenSequence("long", (35, 8, 9), (7, 9, 32, 38, 46, 26, 43)),
    TokenSequence("one", (2,), (1,)),
]
TARGETS = {"attention": ("q_proj", "k_proj", "v_proj", "o_proj"), "head": ("q_proj", "lm_head")}


def measure(adapters, p, q, tokens_per_batch=1024):
    model = small_model()
    with attached(model, adapters) as span:
        return divergences(model, span, p, q, SEQUENCES, tokens_per_batch)


def by_hand(weighted, sequence):
    """Log-probabilities of the model with dense weights, everything in float64, before every completion token."""
    model = small_model().double()
    if any("lm_head" in update for _, update in weighted):
        model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.clone())
    with torch.no_grad():
        for weight, update in weighted:
            for name, delta in update.items():
                model.get_submodule(name).weight += weight * torch.from_numpy(delta)
        logits = model(torch.tensor([sequence.tokens])).logits[0]
    return logits[len(sequence.prompt) - 1 : -1].log_softmax(-1).numpy()


@pytest.mark.parametrize("targets", TARGETS)
@pytest.mark.parametrize("chunk", [1, divergence.LOGITS_AT_ONCE])
def test_it_is_the_sum_over_the_vocabulary_of_dense_float64_models(tmp_path, monkeypatch, targets, chunk):
    monkeypatch.setattr(divergence, "LOGITS_AT_ONCE", chunk)
    a, b = (
        Adapter(save_adapter(tmp_path / name, seed, targets=TARGETS[targets])) for name, seed in (("a", 1), ("b", 2))
    )
    measured = measure([a, b], (1.0, 0.0), (0.25, 1.0), tokens_per_batch=24)
    for sequence, values in zip(SEQUENCES, measured, strict=True):
        log_p = by_hand([(1.0, dense_update(a))], sequence)
        log_q = by_hand([(0.25, dense_update(a)), (1.0, dense_update(b))], sequence)
        p, q, tokens = np.exp(log_p), np.exp(log_q), list(sequence.completion)
        steps = np.arange(len(tokens))
        expected = [
            (p * (log_p - log_q)).sum(1),
            (q * (log_q - log_p)).sum(1),
            log_p[steps, tokens],
            log_q[steps, tokens],
            -(p * log_p).sum(1),
            -(q * log_q).sum(1),
        ]
        assert values.shape == (len(tokens), len(MEASURES))
        np.testing.assert_allclose(values, np.stack(expected, axis=1), rtol=0, atol=2e-5)
        kl = values[:, 0]
        assert kl.max() > 1e-3
        np.testing.assert_allclose(kl, expected[0], rtol=1e-3, atol=1e-6)


def test_the_base_against_itself_is_the_floor(tmp_path):
    adapter = Adapter(save_adapter(tmp_path / "a", 1))
    for values in (*measure([], (), ()), *measure([adapter], (0.0,), (0.0,)), *measure([adapter], (1.0,), (1.0,))):
        assert np.abs(values[:, :2]).max() < 1e-9


def test_exchanging_the_models_exchanges_the_columns(tmp_path):
    adapter = Adapter(save_adapter(tmp_path / "a", 1))
    there, back = measure([adapter], (0.0,), (1.0,)), measure([adapter], (1.0,), (0.0,))
    for one, other in zip(there, back, strict=True):
        np.testing.assert_allclose(one, other[:, [1, 0, 3, 2, 5, 4]], rtol=0, atol=1e-12 + 1e-5 * np.abs(one).max())


def test_a_token_without_probability_has_no_part():
    log_p = torch.tensor([[0.0, -torch.inf]], dtype=torch.float64)
    log_q = torch.tensor([[0.5, 0.5]], dtype=torch.float64).log()
    kl_pq, kl_qp, *_, entropy_p, entropy_q = divergence._compare(log_p, log_q, torch.tensor([[0]]))[0].tolist()
    assert kl_pq == pytest.approx(np.log(2)) and kl_qp == np.inf and entropy_p == 0
    assert entropy_q == pytest.approx(np.log(2))
