"""Batched decoding, token by token what `generate` does, in less time where completions share prompts.

A prompt is computed once for all of its completions, keys and values have their room from the start, and completions that
are finished leave the batch. transformers does not offer these together with a seed per completion: with its static cache
every completion computes its own prompt and attends to all of the room, and its continuous batching draws from one generator.
"""

import inspect
from collections.abc import Callable, Sequence

import torch
from transformers import DynamicCache, GenerationMixin, PreTrainedModel
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

OWN_WAYS = ("prepare_inputs_for_generation", "_update_model_kwargs_for_generation", "_prepare_cache_for_generation")
"""What a model overrides that `generate` must feed in a way of its own."""
INPUTS = {"input_ids", "attention_mask", "position_ids", "past_key_values", "use_cache", "logits_to_keep"}
KEPT_SHARE = 0.8
"""Finished completions leave when no more than this share of the batch goes on: leaving copies the cache."""

Choose = Callable[[int, torch.Tensor, torch.Tensor], torch.Tensor]
"""(step, rows, logits) to the next token of each row; `rows` are places in the batch, logits float32 (rows, vocabulary)."""


def can_decode(model: PreTrainedModel) -> bool:
    """Return whether `decode` takes this model.

    It does where each layer keeps keys and values of its own, of all tokens or of a window, and `generate` feeds the model
    as it feeds any. Others (recurrent, sharing a cache between layers, of several modalities) are left to `generate`.
    """
    if model.config.is_encoder_decoder or model._is_stateful or not model._supports_default_dynamic_cache():
        return False
    config = model.config.get_text_config(decoder=True)
    layers = DynamicCache(config=config).layers
    return (
        len(layers) == config.num_hidden_layers
        and {type(layer) for layer in layers} <= {DynamicLayer, DynamicSlidingWindowLayer}
        and "chunked_attention" not in (getattr(config, "layer_types", None) or ())
        and all(getattr(type(model), name) is getattr(GenerationMixin, name) for name in OWN_WAYS)
        and set(inspect.signature(model.forward).parameters) >= INPUTS
    )


@torch.no_grad()
def decode(
    model: PreTrainedModel,
    prompts: Sequence[list[int]],
    choose: Choose,
    end_ids: Sequence[int],
    pad_id: int,
    max_new_tokens: int,
) -> list[list[int]]:
    """Return the generated ids of each completion, its end token included, by a model in evaluation mode.

    Parameters
    ----------
    model
        One that `can_decode` takes.
    prompts
        Token ids of each completion's prompt; equal ones are computed once.
    choose
        Turns logits into tokens.
    end_ids
        Tokens that end a completion.
    """
    places = {prompt: place for place, prompt in enumerate(dict.fromkeys(map(tuple, prompts)))}
    source = torch.tensor([places[tuple(prompt)] for prompt in prompts], device=model.device)
    tokens, mask = (part.to(model.device) for part in padded(list(map(list, places)), pad_id))
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    cache = DynamicCache()  # of all tokens, also where attention has a window: the mask decides what is seen
    logits = _last_logits(model, tokens, mask, positions, cache)[source]
    cache.layers = [_RoomyLayer(layer, source, max_new_tokens - 1) for layer in cache.layers]
    mask, position = mask[source], positions[source, -1:]

    ends = torch.tensor(list(end_ids), device=model.device)
    rows = torch.arange(len(prompts), device=model.device)
    going = torch.ones_like(rows, dtype=torch.bool)
    generated: list[list[int]] = [[] for _ in prompts]
    for step in range(max_new_tokens):
        chosen = choose(step, rows, logits)
        for row, token, unfinished in zip(rows.tolist(), chosen.tolist(), going.tolist(), strict=True):
            if unfinished:
                generated[row].append(token)
        going &= ~torch.isin(chosen, ends)
        left = int(going.sum())
        if not left or step == max_new_tokens - 1:
            break
        if left <= KEPT_SHARE * len(rows):
            kept = going.nonzero()[:, 0]
            rows, chosen, mask, position, going = (part[kept] for part in (rows, chosen, mask, position, going))
            cache.batch_select_indices(kept)
        mask, position = torch.cat([mask, mask.new_ones(len(rows), 1)], dim=1), position + 1
        logits = _last_logits(model, chosen[:, None], mask, position, cache)
    return generated


def padded(prompts: Sequence[list[int]], pad_id: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return token ids and attention mask, both (prompts, longest), padded on the left."""
    width = max(map(len, prompts))
    tokens = [[pad_id] * (width - len(prompt)) + prompt for prompt in prompts]
    mask = [[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts]
    return torch.tensor(tokens), torch.tensor(mask)


def _last_logits(model, tokens, mask, positions, cache) -> torch.Tensor:
    states = {"attention_mask": mask, "position_ids": positions, "past_key_values": cache}
    return model(input_ids=tokens, use_cache=True, logits_to_keep=1, **states).logits[:, -1].float()


class _RoomyLayer(DynamicLayer):
    """One layer of the cache with room for `more` tokens; row i continues row `source[i]` of `layer`."""

    def __init__(self, layer: DynamicLayer, source: torch.Tensor, more: int):
        super().__init__()
        self.lazy_initialization(layer.keys, layer.values)
        self.length = layer.keys.shape[-2]
        self.room = []
        for tensor in (layer.keys, layer.values):
            _, heads, length, width = tensor.shape
            self.room.append(tensor.new_zeros(len(source), heads, length + more, width))
            self.room[-1][:, :, :length] = tensor[source]
        self._show()

    def _show(self) -> None:
        self.keys, self.values = (tensor[:, :, : self.length] for tensor in self.room)

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *args, **kwargs):
        """Add a step's keys and values, and return all."""
        start, self.length = self.length, self.length + key_states.shape[-2]
        for tensor, states in zip(self.room, (key_states, value_states), strict=True):
            tensor[:, :, start : self.length] = states
        self._show()
        return self.keys, self.values

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keep these rows."""
        self.room = [tensor[indices] for tensor in self.room]
        self._show()
