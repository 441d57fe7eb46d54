"""The pairwise metrics that the page and the figures show: titles, ranges, chance bands and definitions."""

from typing import NamedTuple

NORMAL_95 = 1.96
"""Half-width of a 95 % normal interval in standard errors."""


class Metric(NamedTuple):
    """One pairwise metric of the weights."""

    name: str
    """Value of the column `metric` in the tables."""
    side: str
    title: str
    low: float
    high: float
    definition: str
    """Key in the definitions."""

    @property
    def key(self) -> str:
        """The name under which page and figures know it."""
        return self.name if self.side == "none" else f"{self.name}.{self.side}"

    @property
    def angle(self) -> bool:
        """Whether it is in degrees, where small means similar."""
        return self.high == 90

    @property
    def words(self) -> dict[str, str]:
        """What the tables' verdicts say of the likeness of two updates, by their first letter, `-` for none: an angle above
        chance is less alike."""
        more, less = "more alike than chance", "opposed, beyond chance" if self.low < 0 else "less alike than chance"
        if self.angle or self.name == "orthogonal_fraction":
            more, less = "further apart than chance", more
        return {"a": more, "b": less, "i": "no more alike than chance", "-": "without a chance level"}

    @property
    def format(self) -> str:
        """Its d3 number format."""
        return ".0f" if self.angle else ".2f"


METRICS = {
    metric.key: metric
    for metric in (
        Metric("cosine", "none", "Cosine of the updates", -1, 1, "cosine"),
        Metric("gram_alignment", "output", "Output-Gram alignment", 0, 1, "gram_alignment"),
        Metric("gram_alignment", "input", "Input-Gram alignment", 0, 1, "gram_alignment"),
        Metric("top_direction", "output", "Top output direction, |u₁·u₁′|", 0, 1, "top_direction"),
        Metric("top_direction", "input", "Top input direction, |v₁·v₁′|", 0, 1, "top_direction"),
        Metric("angle_first", "output", "First principal angle, output side (°)", 0, 90, "angle"),
        Metric("angle_first", "input", "First principal angle, input side (°)", 0, 90, "angle"),
        Metric("angle_last", "output", "Last principal angle, output side (°)", 0, 90, "angle"),
        Metric("angle_last", "input", "Last principal angle, input side (°)", 0, 90, "angle"),
        Metric("orthogonal_fraction", "none", "Fraction orthogonal to the reference", 0, 1, "orthogonal_fraction"),
    )
}
RUN_METRICS = {
    "norm": "Norm of the update (Frobenius)",
    "effective_rank": "Effective rank, from σ",
    "effective_rank_squared": "Effective rank, from σ²",
    "stable_rank": "Stable rank",
    "participation": "Participation ratio",
}
"""Metrics of one run, which the tables hold per pair with the suffixes _a and _b."""

SERIES = {
    "cosine": ("cosine of the updates", "circle"),
    "gram_alignment.output": ("output-Gram alignment", "diamond"),
    "top_direction.output": ("top output direction", "square"),
    "top_direction.input": ("top input direction", "triangle-up"),
}
"""Metrics of the chart of seeds and learning rates: title and shape."""
