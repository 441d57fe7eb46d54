"""Configuration of the distance between what models write."""

from typing import Literal

from pydantic import Field

from lossgeometry.settings.block import Block
from lossgeometry.settings.comparisons import Comparisons


class Behaviour(Block):
    """How far the distribution over the next token moves: every run against the base, on texts of both."""

    problems: int = Field(0, ge=0)
    """Problems of the benchmark whose answers are measured, one answer of the base and one of the run each: the first
    that many. 0 skips the stage; standard errors are over problems."""
    benchmark: str = ""
    """Benchmark whose answers are measured; empty takes the first of `evaluation.benchmarks`."""
    comparisons: Comparisons | None = None
    """Which pairs of runs are also compared with each other, on the base's answers, in the vocabulary of the top-level
    `comparisons`; none compares every run with the base alone."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Type of the base weights in the forward pass; the updates are always applied in float32, unmerged."""
    tokens_per_batch: int = Field(1024, ge=64)
    """Padded tokens per forward pass; the result does not depend on it, up to rounding. Small batches stay in a CPU's
    cache; on a GPU take 16384 or more."""
    threads: int = Field(1, ge=1)
    """Cores of one job."""
