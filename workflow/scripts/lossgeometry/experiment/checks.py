"""What is checked of a configuration before anything runs, and how a failed check is told."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from pydantic import ValidationError

from lossgeometry.errors import ConfigError, InputError
from lossgeometry.experiment.runs import Run, expand_runs
from lossgeometry.experiment.snapshots import check_snapshots
from lossgeometry.grading.graders import grader_names
from lossgeometry.methods import method_module, method_names
from lossgeometry.settings.audit import INITIALISATION, Audit
from lossgeometry.settings.behaviour import Behaviour
from lossgeometry.settings.connectivity import Connectivity
from lossgeometry.settings.geometry import Geometry
from lossgeometry.settings.models import Checkpoints, Model, Problems
from lossgeometry.settings.representations import Representations
from lossgeometry.settings.rollouts import Rollouts
from lossgeometry.settings.training import Lora, Method, Training
from lossgeometry.updates.folders import checkpoints_in, require_source

if TYPE_CHECKING:
    from lossgeometry.experiment.config import Config

LABEL = re.compile(r"[a-z][a-z0-9_]*(@[A-Za-z0-9_.=+]+(-[A-Za-z0-9_.=+]+)*)?")
NAME = re.compile(r"[A-Za-z0-9_]+([.-][A-Za-z0-9_]+)*")
"""A name is part of paths: dots and hyphens only between other characters, so that none is `..`, hidden, or cut at its end."""
NAME_RULE = "use letters, digits and underscores, with single dots or hyphens between them"


def check_consistency(config: "Config") -> None:
    """Raise ValueError where two blocks of a configuration contradict each other, or one lacks what it needs."""
    if not config.methods and not config.adapters:
        raise ValueError("methods: there is nothing to compare; name at least one method, or adapters of your own")
    for label, method in config.methods.items():
        check_method(label, method, config.training, config.rollouts)
    check_names("edits", config.edits)
    for name, edit in config.edits.items():
        if edit.to_kl and not (config.behaviour.problems and config.evaluation.benchmarks):
            raise ValueError(
                f"edits.{name}.to_kl: the divergence is that of the stage behaviour; set behaviour.problems"
            )
    check_adapters(config.adapters)
    if config.rollouts.file and config.prompts is not None:
        raise ValueError("rollouts.file: the file brings the problems of its completions; remove prompts")
    if config.methods and config.prompts is None and not config.rollouts.file:
        raise ValueError("prompts: methods are trained on rollouts; say where the problems come from")
    check_models(config.student, config.teacher, config.prompts, config.rollouts)
    if config.methods:
        check_training(config.training, config.rollouts)
    check_snapshots(config, expand_runs(config.methods, config.seeds, config.folders))
    sets = {f"evaluation.benchmarks.{name}": one for name, one in config.evaluation.benchmarks.items()}
    check_graders({"prompts": config.prompts, "probe": config.probe, **sets})


def check_names(key: str, names: Iterable[str]) -> None:
    """Raise ValueError unless folders can have these names, which are keys of a block of the configuration."""
    for name in names:
        if not NAME.fullmatch(name):
            raise ValueError(f"{key}.{name!r}: the name is also a folder's: {NAME_RULE}")


def check_adapters(adapters: Mapping[str, str | Checkpoints]) -> None:
    """Raise ValueError unless every update has a name that a folder can have, and a place."""
    check_names("adapters", adapters)
    for name, source in adapters.items():
        try:
            if isinstance(source, Checkpoints):
                checkpoints_in(source.checkpoints)
            else:
                require_source(source)
        except InputError as error:
            raise ValueError(f"adapters.{name}: {error}") from None


def check_graders(sets: Mapping[str, Problems | None]) -> None:
    """Raise ValueError unless there is the grader of every set of problems, by its key in the configuration."""
    for key, problems in sets.items():
        if problems and problems.grader not in grader_names():
            raise ValueError(
                f"{key}.grader: there is no grader {problems.grader}; choose one of {', '.join(grader_names())}"
            )


def check_models(student: Model, teacher: Model, prompts: Problems | None, rollouts: Rollouts) -> None:
    """Raise ValueError unless the models have sources that fit their roles, the engine and the problems."""
    if student.source in ("student", "endpoint", "generated"):
        raise ValueError(
            f"student.source: {student.source} is for the teacher only; choose tiny, hub, folder, gguf or package"
        )
    if teacher.source in ("gguf", "package"):
        raise ValueError(f"teacher.source: {teacher.source} is for the student only; choose hub, folder or another")
    for source, engine in (("endpoint", "openai"), ("generated", "generated")):
        if (teacher.source == source) != (rollouts.engine.name == engine):
            raise ValueError(
                f"teacher.source {source} and rollouts.engine.name {engine} belong together; set both or neither"
            )
    solved = prompts is None or (prompts.source == "generated" and prompts.skill == "arithmetic")
    if teacher.source == "generated" and not solved:
        raise ValueError(
            "prompts: the generated teacher solves generated arithmetic only; ask for it, or for another teacher"
        )


def check_method(label: str, method: Method, training: Training, rollouts: Rollouts) -> None:
    """Raise ValueError unless there is such a method, with such options."""
    name = label.partition("@")[0]
    if not LABEL.fullmatch(label):
        raise ValueError(f"methods.{label}: write <method> or <method>@<variant>, such as dpo@beta0.05")
    if name not in method_names():
        raise ValueError(
            f"methods.{label}: there is no method {name}; choose one of {', '.join(method_names())}, or add "
            f"workflow/scripts/lossgeometry/methods/{name}.py"
        )
    module = method_module(name)
    try:
        options = module.Options(**method.options)
    except ValidationError as error:
        raise ValueError(f"methods.{label}.options.{sentence(error, module.Options.model_fields)}") from None
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


def check_ids(ids: Sequence[str]) -> None:
    """Raise ValueError if two runs have one id."""
    for run_id in ids:
        if ids.count(run_id) > 1:
            label = run_id.partition(".lr")[0]
            raise ValueError(f"methods.{label}: run {run_id} appears twice; remove the repeated seed or learning rate")


def check_audit(audit: Audit, runs: Sequence[Run], training: Training) -> None:
    """Raise ValueError unless gradients can be taken at every point, and are those of the losses that are trained."""
    if audit.points and training.mean_over != "tokens":
        raise ValueError(
            "training.mean_over: the audit knows the mean over tokens alone; set it to tokens, or audit.points to []"
        )
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


def check_function_space(config: "Config", key: str, stage: Connectivity | Representations | Behaviour) -> None:
    """Raise ValueError unless a stage that runs the base with updates attached has what it is measured on."""
    needs_solutions = isinstance(stage, Representations) or (
        isinstance(stage, Connectivity) and "reference_solution" in stage.losses
    )
    if needs_solutions and config.prompts is None and not config.rollouts.file:
        raise ValueError(f"{key}comparisons: this stage needs held-out solutions of the teacher; configure prompts")
    if isinstance(stage, Behaviour):
        if config.measured_benchmark not in config.evaluation.benchmarks:
            raise ValueError(
                f"{key}benchmark: there is no {stage.benchmark or 'benchmark'}; name one of evaluation.benchmarks"
            )
    elif stage.needs_probe and not config.probes:
        raise ValueError("probe: this stage needs problems; set probe, or configure one of evaluation.benchmarks")


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


def sentence(error: ValidationError, known: Iterable[str]) -> str:
    """Return the first problem of a validation as `key: what is wrong; the cure`; `known` are the keys at the top."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    more = f" ({len(error.errors()) - 1} more after this one)" if len(error.errors()) > 1 else ""
    if first["type"] == "extra_forbidden" and len(first["loc"]) == 1:
        return f"{key}: there is no such key; remove it or choose one of {', '.join(known)} (config/README.md){more}"
    if first["type"] == "extra_forbidden":
        return f"{key}: there is no such key; remove it or look up its spelling in config/README.md{more}"
    if first["type"] == "missing":
        return f"{key}: this key is missing; add it as config/README.md describes{more}"
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "value_error":
        return f"{key + ': ' if key else ''}{message}{more}"
    return f"{key}: {message[0].lower() + message[1:]}, but it is {first['input']!r}; correct it{more}"
