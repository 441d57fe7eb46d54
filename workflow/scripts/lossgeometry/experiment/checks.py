"""What is checked of a configuration before anything runs, and how a failed check is told."""

import importlib.util
import re

from pydantic import ValidationError

from lossgeometry.errors import ConfigError
from lossgeometry.grading.graders import grader_names
from lossgeometry.methods import method_module
from lossgeometry.settings.geometry import Geometry
from lossgeometry.settings.models import Problems
from lossgeometry.settings.rollouts import Rollouts
from lossgeometry.settings.training import Lora, Method, Training

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


def check_grader(key: str, problems: Problems) -> None:
    """Raise ValueError unless there is such a grader."""
    if problems.grader not in grader_names():
        raise ValueError(
            f"{key}.grader: there is no grader {problems.grader}; choose one of {', '.join(grader_names())}"
        )


def check_training(training: Training, rollouts: Rollouts) -> None:
    """Raise ValueError where batches do not divide, or completions do not fit."""
    budget = rollouts.sampling.max_new_tokens
    if rollouts.engine.reasoning == "keep" and budget >= training.max_length:
        raise ValueError(
            f"training.max_length: kept reasoning is trained on, and completions of up to {budget} tokens "
            "(rollouts.sampling.max_new_tokens) do not fit; raise it, or set rollouts.engine.reasoning to drop"
        )
    if training.batch_size % training.micro_batch_size:
        raise ValueError("training.micro_batch_size: it must divide training.batch_size")
    if training.batch_size % training.processes:
        raise ValueError("training.processes: they share a batch evenly; choose a divisor of training.batch_size")


def check_reference(geometry: Geometry, labels: list[str]) -> None:
    """Raise ConfigError where a reference is named that is not compared."""
    if "reference" in geometry.model_fields_set and geometry.reference not in labels:
        raise ConfigError(
            f"geometry.reference: there is no method or adapter {geometry.reference}; name one of {', '.join(labels)}"
        )


def note_on_directions(geometry: Geometry, lora: Lora) -> str:
    """Return what the user should know of a number of directions that was asked for; empty where there is nothing to say."""
    if geometry.k <= lora.rank or "k" not in geometry.model_fields_set:
        return ""
    directions = f"angles are undefined there, and given for {lora.rank} directions instead"
    return f"geometry.k is {geometry.k}, above lora.rank: {directions}"


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
