"""Configuration of training: what all methods share, and what one method sets for itself."""

from typing import Any, Literal

from pydantic import Field

from lossgeometry.settings.block import Block


class Lora(Block):
    """The adapter that every method trains."""

    rank: int = Field(8, ge=1)
    """Rank r of the update."""
    alpha: float = Field(16, gt=0)
    """Scale: dW = alpha / rank * B A."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Dropout on the adapter's input."""
    target_modules: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj")
    """Linear modules that carry an adapter."""


class Training(Block):
    """What all methods share."""

    steps: int = Field(128, ge=1)
    """Optimiser steps; results are taken here."""
    schedule_steps: int = Field(0, ge=0)
    """Length of the cosine schedule; 0 is `steps`. The paper stops a 1,500-step schedule at step 1,000."""
    batch_size: int = Field(32, ge=1)
    """Rows (or preference pairs) per optimiser step."""
    micro_batch_size: int = Field(32, ge=1)
    """Rows per forward pass; must divide `batch_size`. The result does not depend on it, up to rounding."""
    warmup_ratio: float = Field(0.05, ge=0, lt=1)
    """Share of the schedule spent in linear warm-up."""
    weight_decay: float = Field(0.01, ge=0)
    """Weight decay of AdamW."""
    max_grad_norm: float = Field(1.0, gt=0)
    """Gradient norm above which the gradient is scaled down."""
    max_length: int = Field(256, ge=8)
    """Longest prompt plus completion, in tokens. Longer rows are dropped and counted, never cut."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Type of the frozen base weights and of the forward pass; the LoRA factors are always float32."""
    checkpoint_every: int = Field(50, ge=1)
    """Steps between checkpoints, from which a killed job resumes."""
    threads: int = Field(1, ge=1)
    """Cores of one training job."""


class Seeds(Block):
    """Separate seeds for what a training run draws at random."""

    init: int = Field(ge=0)
    """Seed of the LoRA initialisation; methods that share it start from the same adapter."""
    order: int = Field(ge=0)
    """Seed of the order of the data, and of on-policy sampling."""


class Method(Block):
    """One entry of `methods`; its name is `<method>` or `<method>@<variant>`."""

    learning_rate: float = Field(gt=0)
    """The method's default learning rate."""
    learning_rates: tuple[float, ...] = ()
    """Further learning rates, each run at the first seed."""
    seeds: tuple[int | Seeds, ...] = ()
    """Seeds of this method; empty takes the experiment's."""
    steps: int = Field(0, ge=0)
    """Optimiser steps of this method; 0 takes `training.steps`."""
    options: dict[str, Any] = {}
    """The method's own hyper-parameters; its module declares and checks them."""
