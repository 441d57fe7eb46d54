"""Per-sequence losses of a model at many points in the span of its updates, from one load and few forward passes."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from transformers import PreTrainedModel

from lossgeometry.forward.adapted_model import UpdateSpan
from lossgeometry.forward.sequences import TokenSequence

LOGITS_AT_ONCE = 1 << 26
"""Most logits (tokens x vocabulary) held at a time: 256 MiB in float32."""


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
        span.set_weights(weights[[rows[row][0] for row in batch]])
        sums = _completion_losses(model, chosen, device)
        for row, total, sequence in zip(batch, sums, chosen, strict=True):
            losses[rows[row]] = total / len(sequence.completion)
    return losses


def _completion_losses(model: PreTrainedModel, sequences: Sequence[TokenSequence], device: torch.device) -> list[float]:
    """Return the summed cross-entropy of each completion; logits exist only for completion tokens, some at a time."""
    tokens = padded([sequence.tokens for sequence in sequences], device)
    hidden = model.get_decoder()(input_ids=tokens, use_cache=False).last_hidden_state  # (rows, longest, width)
    owner = [row for row, sequence in enumerate(sequences) for _ in sequence.completion]
    before = [len(sequence.prompt) - 1 + k for sequence in sequences for k in range(len(sequence.completion))]
    target = torch.tensor([token for sequence in sequences for token in sequence.completion], device=device)
    states = hidden[torch.tensor(owner, device=device), torch.tensor(before, device=device)]
    head = model.get_output_embeddings()
    chunk = max(1, LOGITS_AT_ONCE // head.weight.shape[0])
    nats = torch.cat(
        [
            torch.nn.functional.cross_entropy(head(part).float(), goal, reduction="none").double()
            for part, goal in zip(states.split(chunk), target.split(chunk), strict=True)
        ]
    )
    sums = torch.zeros(len(sequences), dtype=torch.float64, device=device)
    return sums.index_add_(0, torch.tensor(owner, device=device), nats).tolist()
