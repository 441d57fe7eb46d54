"""Configuration of the audit: gradients of every offline loss before training."""

from typing import Literal

from pydantic import Field, field_validator

from lossgeometry.settings.block import Block

INITIALISATION = "initialisation"


class Audit(Block):
    """What each offline loss will do to the weights, predicted from gradients on the rollouts."""

    points: tuple[str, ...] = ()
    """Where gradients are taken: `initialisation` (that of the first seed, before any training), and ids of runs, at whose
    adapters both factors move. None skips the stage."""
    prompts: int = Field(0, ge=0)
    """Prompts whose rollouts are measured: the first by a hash of their ids; 0 takes all. Noise grows as they become fewer, and
    tables/noise.csv tells how many are needed."""
    folds: int = Field(16, ge=4)
    """Disjoint sets of prompts. Estimates multiply different ones only, so that common noise cancels; errors leave one out."""
    shares: tuple[float, ...] = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
    """Shares of right rollouts, strictly between 0 and 1, at which the cosines are predicted."""
    largest_miss: float = Field(0.15, gt=0)
    """Difference between a predicted and a trained cosine beyond which a prediction counts as missed."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Type of the base weights in the forward pass; factors and sums are float32, inner products float64."""
    tokens_per_batch: int = Field(1024, ge=64)
    """Padded tokens per forward pass; the result does not depend on it, up to rounding. Small batches stay in a CPU's cache; on
    a GPU take as many as fit, which `make preflight` tells."""
    threads: int = Field(1, ge=1)
    """Cores of one job."""

    @field_validator("shares")
    @classmethod
    def _are_shares(cls, shares: tuple[float, ...]) -> tuple[float, ...]:
        if not all(0 < share < 1 for share in shares):
            raise ValueError("give shares strictly between 0 and 1")
        return shares
