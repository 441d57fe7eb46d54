"""Hidden states of one model, streamed to disk as each block makes them: memory is that of one batch at one layer."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedModel

from lossgeometry.files.atomic import atomic_file
from lossgeometry.forward.losses import batches_by_length, padded
from lossgeometry.forward.sequences import TokenSequence
from lossgeometry.representations.storage import RowWriter

STORED = {"float32": "F32", "bfloat16": "BF16"}


def extract(
    model: PreTrainedModel,
    solutions: Sequence[TokenSequence],
    prompts: Sequence[TokenSequence],
    path: Path,
    precision: str,
    pooling: str,
    tokens_per_batch: int,
) -> None:
    """Write the hidden states of a model, with its updates attached, to one safetensors file.

    A layer's states are the residual stream after its block, before the model's final norm; layers count from 0.

    Parameters
    ----------
    solutions
        States are kept of every token but the first, an attention sink that dwarfs all others: tensors
        `solutions.<layer>`, (tokens, width), with the kept tokens of each sequence as `lengths` in the metadata.
    prompts
        One vector is kept of every prompt: tensors `prompts.<layer>`, (prompts, width).
    precision
        Type that is stored: `float32` or `bfloat16`.
    pooling
        `last` token of a prompt, or `mean` over its tokens but the first.
    tokens_per_batch
        Padded tokens per forward pass. Padding is on the right, where a causal model does not look, and is never kept.
    """
    layers, width = len(model.get_decoder().layers), model.config.get_text_config().hidden_size
    lengths = [len(sequence.tokens) - 1 for sequence in solutions]
    starts = np.cumsum([0, *lengths]).tolist()
    kind = STORED[precision]
    shapes = {f"solutions.{layer}": (kind, (starts[-1], width)) for layer in range(layers)}
    shapes |= {f"prompts.{layer}": (kind, (len(prompts), width)) for layer in range(layers)}
    metadata = {
        "layers": str(layers),
        "lengths": json.dumps(lengths),
        "prompt_pooling": pooling,
        "tokens": token_digest([*solutions, *prompts]),
    }
    with atomic_file(path) as partial, RowWriter(partial, shapes, metadata) as writer:

        def keep_tokens(layer: int, index: int, states: torch.Tensor) -> None:
            writer.write(f"solutions.{layer}", starts[index], _numpy(states[1:]))

        def keep_vector(layer: int, index: int, states: torch.Tensor) -> None:
            kept = states[-1:] if pooling == "last" else states[1:].float().mean(dim=0, keepdim=True)
            writer.write(f"prompts.{layer}", index, _numpy(kept))

        _stream(model, [sequence.tokens for sequence in solutions], tokens_per_batch, keep_tokens)
        _stream(model, [sequence.prompt for sequence in prompts], tokens_per_batch, keep_vector)


@torch.inference_mode()
def _stream(
    model: PreTrainedModel,
    sequences: Sequence[Sequence[int]],
    tokens_per_batch: int,
    keep: Callable[[int, int, torch.Tensor], None],
) -> None:
    """Call ``keep(layer, index, states)`` with the states of every sequence at every layer, (tokens, width), without
    padding."""
    device = next(model.parameters()).device
    for batch in batches_by_length([len(tokens) for tokens in sequences], tokens_per_batch):

        def receive(layer: int, states: torch.Tensor, batch: Sequence[int] = batch) -> None:
            for row, index in enumerate(batch):
                keep(layer, index, states[row, : len(sequences[index])])

        with _layer_outputs(model, receive):
            model.get_decoder()(input_ids=padded([sequences[index] for index in batch], device), use_cache=False)


@contextmanager
def _layer_outputs(model: PreTrainedModel, receive: Callable[[int, torch.Tensor], None]) -> Iterator[None]:
    """Call ``receive(layer, states)`` with the output of every block, (rows, tokens, width), as soon as it exists."""

    def hook(layer: int) -> Callable:
        return lambda _module, _inputs, output: receive(layer, output[0] if isinstance(output, tuple) else output)

    handles = [block.register_forward_hook(hook(layer)) for layer, block in enumerate(model.get_decoder().layers)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _numpy(states: torch.Tensor) -> np.ndarray:
    # numpy knows no bfloat16; float32 holds its values exactly, and the writer rounds them back.
    return states.float().cpu().numpy()


def token_digest(sequences: Sequence[TokenSequence]) -> str:
    """Return a digest of the token ids of sequences, which two models' files must share to be compared."""
    rows = [[sequence.id, sequence.prompt, sequence.completion] for sequence in sequences]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]
