"""Configuration of linear mode connectivity."""

from typing import Literal

from pydantic import Field, model_validator

from lossgeometry.settings.block import Block
from lossgeometry.settings.comparisons import Comparisons


class Connectivity(Block):
    """The loss along the straight line between two updates, W0 + (1 - t) dW_a + t dW_b."""

    comparisons: Comparisons | None = None
    """Which pairs are interpolated: a subset of their own, in the vocabulary of the top-level `comparisons`; none skips
    the stage."""
    points: tuple[float, ...] = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
    """Grid of t: 0 is the first update, 1 the second. Points outside [0, 1] extrapolate and take no part in the
    barrier."""
    shrink_points: tuple[float, ...] = (0.25, 0.5, 0.75)
    """Control: every update alone is also measured at these multiples of itself, on its way to the base."""
    losses: tuple[Literal["reference_solution", "boxed_answer"], ...] = ("reference_solution", "boxed_answer")
    r"""`reference_solution`: held-out correct solutions of the teacher. `boxed_answer`: the bare `\boxed{answer}`
    straight after the prompt, as the paper does; it punishes every model that reasons before it answers."""
    sequences: int = Field(200, ge=2)
    """Most sequences per loss: the first that many. A verdict on a barrier needs at least 8."""
    smallest_barrier: float = Field(0.05, gt=0)
    """The smallest barrier that counts, as a share of the mean loss of the two ends. `barrier`: the path rises above its
    chord and above what shrinking both updates does by more than that, after Holm over all pairs; `no barrier`: the 95 %
    interval of that height lies below; else `cannot tell`."""
    accuracy_points: tuple[float, ...] = ()
    """Values of t at which greedy accuracy is measured as well; empty measures none."""
    accuracy_problems: int = Field(100, ge=1)
    """Problems behind each accuracy: the first that many of `probe`."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Type of the base weights in the forward pass; the updates are always applied in float32, unmerged. bfloat16
    halves the memory and adds rounding noise of the size of a small barrier."""
    tokens_per_batch: int = Field(1024, ge=64)
    """Padded tokens per forward pass; the result does not depend on it, up to rounding. Small batches stay in a CPU's
    cache; on a GPU take 16384 or more."""
    threads: int = Field(1, ge=1)
    """Cores of one job."""

    @property
    def needs_probe(self) -> bool:
        """Whether anything is measured on the problems of `probe`."""
        return "boxed_answer" in self.losses or bool(self.accuracy_points)

    @model_validator(mode="after")
    def _has_end_points(self) -> "Connectivity":
        if not {0.0, 1.0} <= set(self.points) or list(self.points) != sorted(set(self.points)):
            raise ValueError("points: list the grid in increasing order, without repeats, with 0 and 1 among them")
        if not all(0 < point < 1 for point in self.shrink_points):
            raise ValueError("shrink_points: give multiples strictly between 0 (the base) and 1 (the update)")
        return self
