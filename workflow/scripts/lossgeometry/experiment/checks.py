"""What is checked of methods and of the audit before anything runs, and how a failed check is told."""

import importlib.util
import re
from collections.abc import Sequence

from pydantic import ValidationError

from lossgeometry.experiment.runs import Run
from lossgeometry.methods import method_module
from lossgeometry.settings.audit import INITIALISATION, Audit
from lossgeometry.settings.rollouts import Rollouts
from lossgeometry.settings.training import Method, Training

LABEL = re.compile(r"[a-z][a-z0-9_]*(@[A-Za-z0-9_.=+]+(-[A-Za-z0-9_.=+]+)*)?")


def check_method(label: str, method: Method, training: Training, rollouts: Rollouts) -> None:
    """Raise ValueError unless there is such a method, with such options."""
    name = label.partition("@")[0]
    if not LABEL.fullmatch(label):
        raise ValueError(f"methods.{label}: write <method> or <method>@<variant>, such as dpo@beta0.05")
    if importlib.util.find_spec(f"lossgeometry.methods.{name}") is None:
        raise ValueError(
            f"methods.{label}: there is no method {name}; add workflow/scripts/lossgeometry/methods/{name}.py"
        )
    module = method_module(name)
    try:
        options = module.Options(**method.options)
    except ValidationError as error:
        raise ValueError(f"methods.{label}.options.{sentence(error)}") from None
    if method.verdicts == "shuffled" and not module.OFFLINE:
        raise ValueError(
            f"methods.{label}.verdicts: {name} grades what it samples, so there is nothing to shuffle; remove the key"
        )
    if method.composition and not module.OFFLINE:
        raise ValueError(
            f"methods.{label}.composition: {name} samples for itself, so there is nothing to compose; remove the key"
        )
    if method.composition and method.composition not in rollouts.compose:
        raise ValueError(
            f"methods.{label}.composition: there is no {method.composition}; describe it in rollouts.compose"
        )
    if not module.OFFLINE and training.batch_size % options.generations:
        raise ValueError(
            f"methods.{label}.options.generations: a batch holds whole groups; choose a divisor of training.batch_size"
        )


def check_audit(audit: Audit, runs: Sequence[Run]) -> None:
    """Raise ValueError unless gradients can be taken at every point."""
    known = {run.id: run for run in runs}
    for point in audit.points:
        if point not in (INITIALISATION, *known):
            choice = ", ".join([INITIALISATION, *known])
            raise ValueError(f"audit.points: there is no {point}; choose among {choice}")
        if point in known and known[point].whole_model:
            raise ValueError(
                f"audit.points: {point} is a full fine-tune, and gradients are those of adapters; remove it"
            )
    if audit.points and not any(run.origin == "trained" and method_module(run.method).OFFLINE for run in runs):
        raise ValueError("audit.points: no method trains on the rollouts, so there is no loss to audit; remove them")


def sentence(error: ValidationError) -> str:
    """Return the first problem of a validation as `key: what is wrong; the cure`."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    more = f" ({len(error.errors()) - 1} more after this one)" if len(error.errors()) > 1 else ""
    if first["type"] == "extra_forbidden":
        return f"{key}: there is no such key; remove it or look up its spelling in config/README.md{more}"
    if first["type"] == "missing":
        return f"{key}: this key is missing; add it as config/README.md describes{more}"
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "value_error":
        return f"{key + ': ' if key else ''}{message}{more}"
    return f"{key}: {message[0].lower() + message[1:]}, but it is {first['input']!r}; correct it{more}"
