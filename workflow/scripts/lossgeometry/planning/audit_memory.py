"""What an audit takes of a GPU's memory, by formula. Light."""

from collections.abc import Iterable, Sequence

from lossgeometry.audit.losses import audited
from lossgeometry.costs import CONTEXT_BYTES, GIB, SLACK, Shape, activation_bytes
from lossgeometry.experiment.config import Config
from lossgeometry.gpus import Gpu
from lossgeometry.planning.preflight import MISSING, READY, UNKNOWN, Finding
from lossgeometry.settings.audit import INITIALISATION

LOGIT_BYTES = 14
"""For each token and word of the vocabulary: a logit in bfloat16, in float32, its log-softmax, and their gradient."""


def gradient_bytes(config: Config, shape: Shape) -> int:
    """Return the bytes of the gradient sums, in float32: of every B, and at later points of every A, in every group."""
    groups = len(audited(config)) * (2 * config.audit.folds + 1)
    sizes = [shape.projections[name] for name in config.lora.target_modules if name in shape.projections]
    moved = any(point != INITIALISATION for point in config.audit.points)
    return 4 * groups * shape.layers * config.lora.rank * sum(out + inputs * moved for inputs, out in sizes)


def audit_bytes(config: Config, shape: Shape) -> int:
    """Return the peak memory of an audit in bfloat16."""
    tokens = config.audit.tokens_per_batch
    passing = tokens * (shape.layers * activation_bytes(shape, config.lora) + LOGIT_BYTES * shape.vocabulary)
    return int(CONTEXT_BYTES + 2 * shape.parameters + gradient_bytes(config, shape) + SLACK * passing)


def check_audit(config: Config, shape: Shape | None, gpus: Sequence[Gpu]) -> Iterable[Finding]:
    """Compare the memory of the smallest GPU with what the audit takes."""
    if not audited(config) or config.audit.precision != "bfloat16" or shape is None:
        return
    needed, memory = audit_bytes(config, shape), min((gpu.memory for gpu in gpus), default=0)
    text = f"the audit takes {needed / GIB:.0f} GiB, {gradient_bytes(config, shape) / GIB:.0f} GiB of it gradient sums"
    if not memory:
        yield Finding(UNKNOWN, f"{text} (formula)")
    elif needed > memory:
        cure = "lower audit.folds or audit.tokens_per_batch"
        yield Finding(MISSING, f"{text}, and the smallest GPU has {memory / GIB:.0f} GiB; {cure}")
    else:
        yield Finding(READY, f"{text}; the smallest GPU has {memory / GIB:.0f} GiB (formula)")
