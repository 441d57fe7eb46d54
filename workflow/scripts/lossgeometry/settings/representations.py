"""Configuration of the comparison of hidden states."""

from typing import Literal

from pydantic import Field

from lossgeometry.settings.block import Block
from lossgeometry.settings.comparisons import Comparisons

Estimator = Literal["debiased", "debiased_standardised", "biased_prompts", "relative_residual", "shift_cosine"]


class Representations(Block):
    """Similarity of the hidden states of two adapters, layer by layer, on the same teacher-forced tokens."""

    comparisons: Comparisons | None = None
    """Which pairs are compared: a subset of their own, in the vocabulary of the top-level `comparisons`; none skips
    the stage."""
    estimators: tuple[Estimator, ...] = (
        "debiased",
        "debiased_standardised",
        "biased_prompts",
        "relative_residual",
        "shift_cosine",
    )
    """`debiased`: linear CKA with the unbiased HSIC, sequences as units. `debiased_standardised`: the same with every
    dimension scaled to unit variance, so that no massive one decides. `biased_prompts`: the paper's biased linear CKA,
    one vector per prompt. `relative_residual`: norm(H_a - H_b) / norm(H_a). `shift_cosine`: cosine between the two
    shifts away from the base."""
    tokens: int = Field(4096, ge=8)
    """Tokens of held-out reference solutions to collect hidden states on: solution after solution until this many are
    reached."""
    sequence_tokens: int = Field(256, ge=8)
    """Most tokens of one problem and its solution: the first that many. It spreads the tokens over many problems, which
    the intervals are over."""
    prompts: int = Field(100, ge=4)
    """Prompts behind `biased_prompts`: the first that many of `probe`. The paper takes 100."""
    prompt_pooling: Literal["last", "mean"] = "last"
    """Vector of a prompt: its last token or the mean over its tokens but the first. The paper does not say."""
    bootstrap: int = Field(400, ge=40)
    """Half-samples of the sequences behind each 95 % interval."""
    seed: int = Field(0, ge=0)
    """Seed of the half-samples."""
    layer_blocks: int = Field(1, ge=1)
    """File-level jobs that the comparison of one pair is split into, by layers; the result does not depend on it."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Type of the base weights in the forward pass, and of the stored hidden states."""
    tokens_per_batch: int = Field(1024, ge=64)
    """Padded tokens per forward pass; the result does not depend on it, up to rounding. Small batches stay in a CPU's
    cache; on a GPU take 16384 or more."""
    threads: int = Field(1, ge=1)
    """Cores of one job."""

    @property
    def needs_probe(self) -> bool:
        """Whether anything is measured on the problems of `probe`."""
        return "biased_prompts" in self.estimators
