"""What is checked of a method before anything runs, and how a failed check is told."""

import importlib.util
import re

from pydantic import ValidationError

from lossgeometry.methods import method_module
from lossgeometry.settings.training import Method, Training

LABEL = re.compile(r"[a-z][a-z0-9_]*(@[A-Za-z0-9_.=+]+(-[A-Za-z0-9_.=+]+)*)?")


def check_method(label: str, method: Method, training: Training) -> None:
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
    if not module.OFFLINE and training.batch_size % options.generations:
        raise ValueError(
            f"methods.{label}.options.generations: a batch holds whole groups; choose a divisor of training.batch_size"
        )


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
