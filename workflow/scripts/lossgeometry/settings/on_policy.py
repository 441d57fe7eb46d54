"""Configuration of on-policy training: what Online GRPO and DAPO have in common."""

from typing import Literal

from pydantic import Field

from lossgeometry.settings.block import Block


class OnPolicy(Block):
    """Sampling from the policy that is being trained, and the clipped objective."""

    generations: int = Field(8, ge=2)
    """Completions per prompt, G; must divide `training.batch_size`, which counts completions."""
    temperature: float = Field(1.0, gt=0)
    """Temperature of sampling and of the probabilities in the loss."""
    max_new_tokens: int = Field(96, ge=1)
    """Token budget of a completion."""
    updates_per_generation: int = Field(1, ge=1)
    """Optimiser steps on one generated batch; with 1 the ratio is 1 at every step, and clipping never acts."""
    epsilon_low: float = Field(0.2, gt=0, lt=1)
    """How far the ratio may fall below 1."""
    epsilon_high: float = Field(0.2, gt=0)
    """How far the ratio may rise above 1."""
    mask_truncated: bool = False
    """Leave completions that reached the token budget out of the loss."""
    engine: Literal["transformers", "vllm"] = "transformers"
    """What samples: `transformers` in this process (CPU default), or `vllm`, which reads the adapter unmerged at every
    step."""
    mismatch: Literal["ppo", "truncated", "none"] = "ppo"
    """What is done where the sampler computes other probabilities than the trainer (vLLM): `ppo` takes the clipped ratio to the
    sampler's; `truncated` takes it to the trainer's own and weights each token by trainer over sampler; `none` does nothing.
    What the two are apart is logged in any case."""
    mismatch_bound: float = Field(2.0, gt=1)
    """Largest factor, up or down, by which trainer over sampler counts: one token far off would outweigh all others."""
    gpu_memory_utilization: float = Field(0.4, gt=0, le=1)
    """Share of the device memory that vLLM may take beside the trainer."""
