"""What a model makes of the states of its decoder."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPast


def logits_after(model: PreTrainedModel, states: torch.Tensor) -> torch.Tensor:
    """Return what the model makes of the decoder's last hidden states, (rows, tokens, vocabulary): its output layer
    with whatever the architecture does to logits (Gemma-2 caps them, Granite and Cohere scale them)."""
    with _decoder_returns(model, states):
        return model(inputs_embeds=states, use_cache=False).logits


@contextmanager
def _decoder_returns(model: PreTrainedModel, states: torch.Tensor) -> Iterator[None]:
    """Let the model's decoder return these states instead of being run."""
    decoder = model.get_decoder()
    decoder.forward = lambda *_, **__: BaseModelOutputWithPast(last_hidden_state=states)
    try:
        yield
    finally:
        del decoder.forward  # the attribute of the instance; the class's method is there again
