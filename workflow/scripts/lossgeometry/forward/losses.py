"""Per-sequence losses of a model at many points in the span of its updates, from one load and few forward passes."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from transformers import PreTrainedModel

from lossgeometry.errors import InputError
from lossgeometry.forward.adapted_model import UpdateSpan
from lossgeometry.forward.head import logits_after
from lossgeometry.forward.sequences import TokenSequence

LOGITS_AT_ONCE = 1 << 26
"""Most logits (tokens x vocabulary) made at a time: 256 MiB in float32, a few times that while they are scaled."""
CHECKED_TOKENS = 64
"""Tokens of the sequence on which losses are checked against the model's own forward pass."""
CHECK_TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 0.05}
"""Largest difference in nats per token that rounding may leave there."""


def batches_by_length(lengths: Sequence[int], tokens_per_batch: int) -> Iterator[list[int]]:
    """Yield indices of sequences of similar length, longest first, of which each batch holds so many padded tokens at
    most.

    A sequence longer than the budget makes a batch of its own.
    """
    order = sorted(range(len(lengths)), key=lambda index: (-lengths[index], index))
    start = 0
    while start < len(order):
        count = max(1, tokens_per_batch // lengths[order[start]])
        yield order[start : start + count]
        start += count


def padded(sequences: Sequence[Sequence[int]], device: torch.device) -> torch.Tensor:
    """Return token ids padded on the right, (sequences, longest).

    A causal model never looks to the right, so padding there changes no real token and needs no attention mask.
    """
    longest = max(map(len, sequences))
    return torch.tensor([[*tokens, *[0] * (longest - len(tokens))] for tokens in sequences], device=device)


@torch.inference_mode()
def sequence_losses(
    model: PreTrainedModel,
    span: UpdateSpan,
    points: np.ndarray,
    sequences: Sequence[TokenSequence],
    tokens_per_batch: int,
) -> np.ndarray:
    """Return the mean cross-entropy per completion token of every sequence at every point.

    Rows of one forward pass may lie at different points, so that a few short sequences still fill a batch.

    Parameters
    ----------
    model
        The base, with the updates of ``span`` attached.
    points
        (points, updates), the weights of the updates.
    sequences
        Each with at least one prompt token and one completion token.
    tokens_per_batch
        Padded tokens per forward pass.

    Returns
    -------
    (points, sequences), in nats per token, float64.
    """
    device = next(model.parameters()).device
    weights = torch.from_numpy(np.asarray(points, dtype=np.float32)).to(device)
    losses = np.empty((len(points), len(sequences)))
    rows = [(point, index) for index in range(len(sequences)) for point in range(len(points))]
    lengths = [len(sequences[index].tokens) for _, index in rows]
    for batch in batches_by_length(lengths, tokens_per_batch):
        chosen = [sequences[rows[row][1]] for row in batch]
        sums = _completion_losses(model, span, weights[[rows[row][0] for row in batch]], chosen)
        for row, total, sequence in zip(batch, sums, chosen, strict=True):
            losses[rows[row]] = total / len(sequence.completion)
    return losses


def _completion_losses(
    model: PreTrainedModel, span: UpdateSpan, weights: torch.Tensor, sequences: Sequence[TokenSequence]
) -> list[float]:
    """Return the summed cross-entropy of each completion, with ``weights``, (sequences, updates); logits exist only for
    completion tokens, some at a time."""
    states, owner, target = completion_states(model, span, weights, sequences)
    chunk = max(1, LOGITS_AT_ONCE // model.get_output_embeddings().weight.shape[0])
    nats = []
    for part, goal, rows in zip(states.split(chunk), target.split(chunk), owner.split(chunk), strict=True):
        logits = logits_of(model, span, weights[rows], part)
        nats.append(torch.nn.functional.cross_entropy(logits, goal, reduction="none").double())
    sums = torch.zeros(len(sequences), dtype=torch.float64, device=weights.device)
    return sums.index_add_(0, owner, torch.cat(nats)).tolist()


def completion_states(
    model: PreTrainedModel, span: UpdateSpan, weights: torch.Tensor, sequences: Sequence[TokenSequence]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the decoder's last hidden state before every completion token, (completion tokens, width); the sequence that
    each belongs to; and the token that follows. ``weights`` is (sequences, updates)."""
    device = weights.device
    tokens = padded([sequence.tokens for sequence in sequences], device)
    span.set_weights(weights)
    hidden = model.get_decoder()(input_ids=tokens, use_cache=False).last_hidden_state  # (rows, longest, width)
    owner = torch.tensor([row for row, sequence in enumerate(sequences) for _ in sequence.completion], device=device)
    before = [len(sequence.prompt) - 1 + k for sequence in sequences for k in range(len(sequence.completion))]
    target = torch.tensor([token for sequence in sequences for token in sequence.completion], device=device)
    return hidden[owner, torch.tensor(before, device=device)], owner, target


def logits_of(model: PreTrainedModel, span: UpdateSpan, weights: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
    """Return the logits that follow hidden states, (tokens, vocabulary), float32 at least; ``weights`` is (tokens, updates).

    Every token is a row of its own, so that an update of the head is applied at the point of its sequence.
    """
    span.set_weights(weights)
    logits = logits_after(model, states[:, None])[:, 0]
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


@torch.inference_mode()
def check_losses(model: PreTrainedModel, span: UpdateSpan, sequences: Sequence[TokenSequence]) -> None:
    """Compare one sequence's loss with that of the model's own forward pass, and leave all updates at the weight 1.

    Raises
    ------
    InputError
        If they differ by more than rounding: this architecture does something between its decoder and its logits that
        is not known here.
    """
    shortest = min(sequences, key=lambda sequence: len(sequence.tokens))
    tokens = shortest.tokens[:CHECKED_TOKENS]
    sequence = TokenSequence(shortest.id, tokens[:1], tokens[1:])
    device = next(model.parameters()).device
    weights = torch.ones(1, span.updates, device=device)
    (ours,) = _completion_losses(model, span, weights, [sequence])
    span.set_weights(weights)
    logits = model(input_ids=padded([tokens], device), use_cache=False).logits[0, :-1].float()
    own = torch.nn.functional.cross_entropy(logits, torch.tensor(tokens[1:], device=device), reduction="sum").item()
    if not abs(ours - own) <= CHECK_TOLERANCE[model.dtype] * len(sequence.completion):
        raise InputError(
            f"losses of {type(model).__name__} cannot be measured: on {shortest.id} the decoder and the output layer give"
            f" {ours / len(sequence.completion):.4f} nats per token, the model itself {own / len(sequence.completion):.4f};"
            " leave out `connectivity.comparisons`, or use a student of another architecture"
        )
