"""What training costs in memory and arithmetic, from the shape of the model: formulas, no measurement. Light."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lossgeometry.settings.training import Lora, Training

GIB = 1 << 30
CONTEXT_BYTES = 2 * GIB
"""The CUDA context, kernels and their workspaces."""
HEAD_BYTES = GIB
"""Tiles of logits of TRL's fused LM head, forwards and backwards."""
SLACK = 1.1
"""Fragmentation of the allocator, over everything that changes between steps."""


@dataclass(frozen=True)
class Shape:
    """The numbers of a decoder with gated MLPs that memory and arithmetic depend on."""

    layers: int
    hidden: int
    intermediate: int
    query: int
    """Heads times head width."""
    key_value: int
    vocabulary: int
    tied: bool
    head_norms: bool
    """Whether queries and keys are normalised per head (Qwen3)."""

    @property
    def projections(self) -> dict[str, tuple[int, int]]:
        """(inputs, outputs) of the linear modules of one layer."""
        return {
            "q_proj": (self.hidden, self.query),
            "k_proj": (self.hidden, self.key_value),
            "v_proj": (self.hidden, self.key_value),
            "o_proj": (self.query, self.hidden),
            "gate_proj": (self.hidden, self.intermediate),
            "up_proj": (self.hidden, self.intermediate),
            "down_proj": (self.intermediate, self.hidden),
        }

    @property
    def layer_parameters(self) -> int:
        """Parameters of the matrices of one layer."""
        return sum(inputs * outputs for inputs, outputs in self.projections.values())

    @property
    def parameters(self) -> int:
        """Parameters of all matrices; the norms are left out."""
        embeddings = self.vocabulary * self.hidden * (1 if self.tied else 2)
        return self.layers * self.layer_parameters + embeddings


def shape_of(config: Mapping[str, Any]) -> Shape:
    """Return the shape that a model folder's config.json describes."""
    heads = config["num_attention_heads"]
    width = config.get("head_dim") or config["hidden_size"] // heads
    return Shape(
        layers=config["num_hidden_layers"],
        hidden=config["hidden_size"],
        intermediate=config["intermediate_size"],
        query=heads * width,
        key_value=(config.get("num_key_value_heads") or heads) * width,
        vocabulary=config["vocab_size"],
        tied=config.get("tie_word_embeddings", False),
        head_norms=config.get("model_type", "").startswith("qwen3"),
    )


def lora_parameters(shape: Shape, lora: Lora) -> int:
    """Return the number of trained parameters."""
    sizes = [sum(shape.projections[name]) for name in lora.target_modules if name in shape.projections]
    return shape.layers * lora.rank * sum(sizes)


def activation_bytes(shape: Shape, lora: Lora) -> int:
    """Return the bytes per token and layer that the backward pass needs, in bfloat16 under autocast.

    Only what autograd keeps of transformers' modules with frozen weights: float32 inputs of the norms, the bfloat16 inputs of
    the LoRA factors, rotated queries and repeated keys and values with the attention's output, and three tensors of the gated
    MLP. A test compares it with what autograd really keeps.
    """
    norms = 2 * 4 * shape.hidden + (4 * (shape.query + shape.key_value) if shape.head_norms else 0)
    factors = sum(
        2 * (shape.projections[name][0] + 2 * lora.rank) for name in lora.target_modules if name in shape.projections
    )
    attention = 2 * 2 * (shape.query + shape.key_value)
    gated = 3 * 2 * shape.intermediate
    return norms + factors + attention + gated


def training_bytes(shape: Shape, lora: Lora, tokens: int, checkpointing: bool) -> int:
    """Return the peak memory of a training process in bfloat16, with `tokens` padded tokens per forward pass.

    Base weights in bfloat16; LoRA factors, their gradients and both moments of AdamW in float32; activations; what the
    passes hold for a moment; and the tiles of the fused LM head.
    """
    weights = 2 * shape.parameters
    trained = 16 * lora_parameters(shape, lora)
    kept = activation_bytes(shape, lora) * tokens
    if checkpointing:  # the input of every layer, and one layer at a time in full
        activations = shape.layers * 2 * shape.hidden * tokens + kept
    else:
        activations = shape.layers * kept
    transient = 4 * 4 * shape.hidden * tokens + 2 * 2 * shape.intermediate * tokens
    return int(CONTEXT_BYTES + weights + trained + SLACK * (activations + transient + HEAD_BYTES))


def micro_batch_tokens(training: Training) -> int:
    """Return the most padded tokens that a forward pass can hold."""
    most = training.micro_batch_size * training.max_length
    limit = training.tokens_per_micro_batch
    return min(most, max(limit, training.max_length)) if limit else most


def step_flops(shape: Shape, lora: Lora, lengths: Sequence[int]) -> float:
    """Return the arithmetic that one optimiser step needs on rows of these lengths, in FLOP.

    A frozen matrix costs 2 FLOP per parameter and token forwards and 2 backwards (its own gradient is not computed), a
    trained one 6; causal attention 2 x (query width) x length per token forwards and twice that backwards. The LM head is
    counted on all tokens, although it is applied to completions only. What checkpointing computes again is not counted.
    """
    tokens = sum(lengths)
    frozen = shape.layers * shape.layer_parameters + shape.vocabulary * shape.hidden
    matrices = (4 * frozen + 6 * lora_parameters(shape, lora)) * tokens
    attention = 3 * 2 * shape.query * shape.layers * sum(length * length for length in lengths)
    return float(matrices + attention)
