"""What each kind of job is told: pure functions (configuration, run) -> a block of built-in types.

Snakemake records the blocks and compares them, so each holds what its job reads and nothing else: a key that a job does not
read must not run it again. Functions that end in ``speed`` return what changes no result; their rules keep Snakemake
from comparing it. Functions that end in ``modules`` return the library files that a job loads by name, which no import shows.
"""

from lossgeometry.jobs import (
    audit,
    evaluation,
    function_space,
    grading,
    pairs,
    report,
    rollouts,
    teacher,
    training,
    trajectories,
    weights,
)

__all__ = [
    "audit",
    "evaluation",
    "function_space",
    "grading",
    "pairs",
    "report",
    "rollouts",
    "teacher",
    "training",
    "trajectories",
    "weights",
]
