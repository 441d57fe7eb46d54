"""Exact divergences between two points in the span of some updates, at every token of teacher-forced texts."""

from collections.abc import Sequence

import numpy as np
import torch
from transformers import PreTrainedModel

from lossgeometry.forward.adapted_model import UpdateSpan
from lossgeometry.forward.losses import LOGITS_AT_ONCE, batches_by_length, completion_states, logits_of
from lossgeometry.forward.sequences import TokenSequence

MEASURES = ("kl_pq", "kl_qp", "log_p", "log_q", "entropy_p", "entropy_q")
"""KL(p || q) and KL(q || p) over the whole vocabulary, the log-probability of the token that follows, and the entropies."""
COPIES = 8
"""Arrays of float64 over the vocabulary that are held at once, in float32 units of `LOGITS_AT_ONCE`."""


@torch.inference_mode()
def divergences(
    model: PreTrainedModel,
    span: UpdateSpan,
    p: Sequence[float],
    q: Sequence[float],
    sequences: Sequence[TokenSequence],
    tokens_per_batch: int,
) -> list[np.ndarray]:
    """Return what parts the distributions at two points, at every completion token of every sequence.

    Both points run in one forward pass, as rows of one batch; sums over the vocabulary are in float64.

    Parameters
    ----------
    model
        The base, with the updates of ``span`` attached.
    p, q
        The weights of the updates at the two points.
    sequences
        Each with at least one prompt token and one completion token.
    tokens_per_batch
        Padded tokens per forward pass.

    Returns
    -------
    For every sequence (completion tokens, 6), float64, in nats: the columns are `MEASURES`.
    """
    device = next(model.parameters()).device
    points = torch.tensor([list(p), list(q)], dtype=torch.float32, device=device).reshape(2, span.updates)
    measured: list[np.ndarray] = [np.empty(0)] * len(sequences)
    for batch in batches_by_length([len(sequence.tokens) for sequence in sequences], max(1, tokens_per_batch // 2)):
        chosen = [sequences[index] for index in batch]
        values = _divergences(model, span, points, chosen)
        ends = np.cumsum([len(sequence.completion) for sequence in chosen])[:-1]
        for index, part in zip(batch, np.split(values, ends), strict=True):
            measured[index] = part
    return measured


def _divergences(
    model: PreTrainedModel, span: UpdateSpan, points: torch.Tensor, sequences: Sequence[TokenSequence]
) -> np.ndarray:
    weights = points.repeat_interleave(len(sequences), dim=0)  # first every sequence at p, then every sequence at q
    states, _, target = completion_states(model, span, weights, [*sequences, *sequences])
    tokens = len(target) // 2
    chunk = max(1, LOGITS_AT_ONCE // COPIES // model.get_output_embeddings().weight.shape[0])
    parts = []
    for start in range(0, tokens, chunk):
        rows = slice(start, min(start + chunk, tokens))
        log_p, log_q = (
            logits_of(model, span, points[point].expand(len(part), -1), part).double().log_softmax(dim=-1)
            for point, part in enumerate((states[:tokens][rows], states[tokens:][rows]))
        )
        parts.append(_compare(log_p, log_q, target[rows, None]))
    return torch.cat(parts).cpu().numpy()


def _compare(log_p: torch.Tensor, log_q: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return `MEASURES` of two log-distributions, (tokens, vocabulary), as (tokens, 6)."""
    p, q = log_p.exp(), log_q.exp()
    sums = (
        _expected(p, log_p - log_q),
        _expected(q, log_q - log_p),
        log_p.gather(-1, target)[:, 0],
        log_q.gather(-1, target)[:, 0],
        -_expected(p, log_p),
        -_expected(q, log_q),
    )
    return torch.stack(sums, dim=-1)


def _expected(p: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Return the mean of values under p, (tokens,); what has no probability has no part in it, whatever its value."""
    return (p * values).masked_fill(p == 0, 0.0).sum(-1)
