"""What work on a GPU takes by formula, with assumed efficiencies; stages put their costs together from it. Light."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from lossgeometry.costs import Shape

if TYPE_CHECKING:
    from lossgeometry.planning.rehearsed import Rehearsed

TRAINING_MFU = 0.35
FORWARD_MFU = 0.4
DECODE_EFFICIENCY = 0.4
"""Share of the memory bandwidth that decoding reaches, which is what bounds it."""
LOAD_HOURS = 1.5 / 60
"""A job's imports, and the model read and placed."""
PROMPT_TOKENS = 150
MEAN_SHARE = 0.35
"""Mean length of a completion as a share of its token budget, at most `LONGEST_MEAN`."""
LONGEST_MEAN = 1500
MIXED_SHARE = 0.2
"""Share of on-policy groups with both right and wrong completions, of which dynamic sampling keeps these."""
DECODED_TOGETHER = 256
CHARACTER_BYTES = 4
"""Bytes of text per token, in each of the two files that hold a completion."""


@dataclass(frozen=True)
class Device:
    """A GPU by its data sheet."""

    name: str
    tflops: float
    """Dense bfloat16."""
    bandwidth: float
    """Bytes per second."""


REFERENCE_DEVICE = Device("H100 or H200", 989.0, 3.35e12)


class Cost(NamedTuple):
    """What one kind of job costs in all."""

    name: str
    jobs: int
    gpu_hours: float
    disk_bytes: float
    source: str = "formula"
    """Where the hours come from."""


class Work(NamedTuple):
    """What the costs of a stage depend on beside the configuration."""

    shape: Shape
    problems: Callable[[str], int]
    """The number of problems of a benchmark, and of `train`."""
    device: Device = REFERENCE_DEVICE
    rehearsed: "Mapping[str, Rehearsed]" = MappingProxyType({})
    """What `make rehearse` measured, by the methods' labels."""


def completion_tokens(sampling_budget: int) -> float:
    """Return the assumed mean length of completions with this token budget."""
    return min(MEAN_SHARE * sampling_budget, LONGEST_MEAN)


def decode_hours(shape: Shape, completions: float, tokens: float, together: float, device: Device) -> float:
    """Return the hours to decode completions: every step reads all weights and the keys and values of what is in flight."""
    if not completions:
        return 0.0
    together = min(together, completions)
    cached = 4 * shape.layers * shape.key_value * (PROMPT_TOKENS + tokens / 2)
    step_seconds = (2 * shape.parameters + together * cached) / (DECODE_EFFICIENCY * device.bandwidth)
    return completions * tokens / together * step_seconds / 3600


def forward_hours(shape: Shape, tokens: float, device: Device) -> float:
    """Return the hours of forward passes over tokens."""
    return 2 * shape.parameters * tokens / (FORWARD_MFU * device.tflops * 1e12) / 3600
