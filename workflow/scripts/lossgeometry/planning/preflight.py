"""Whether this machine has what an experiment needs, asked before anything expensive starts. Light; each check stands alone."""

import http.client
import importlib.metadata
import json
import re
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from lossgeometry.costs import GIB, Shape, micro_batch_tokens, training_bytes
from lossgeometry.errors import InputError
from lossgeometry.experiment.config import Config
from lossgeometry.generation.endpoint.access import mask_echoes, read_key
from lossgeometry.gpus import Gpu
from lossgeometry.methods import method_module
from lossgeometry.planning.rehearsed import Rehearsed
from lossgeometry.settings.models import Model
from lossgeometry.settings.rollouts import Engine, address_problem
from lossgeometry.stages import STAGES

READY, UNKNOWN, MISSING = "ready", "unknown", "MISSING"
DISK_MARGIN = 1.3
ANSWER_SECONDS = 15
LONGEST_LIST = 1 << 24
"""Bytes read of a list of models."""


@dataclass(frozen=True)
class Finding:
    """What a check found; `MISSING` means that the experiment cannot run as it is."""

    state: str
    text: str


def needs_gpu(config: Config) -> bool:
    """Return whether any stage of the experiment is put on a GPU."""
    return any(stage.on_gpu(config) for stage in STAGES)


def check_gpus(
    config: Config, shape: Shape | None, gpus: list[Gpu], rehearsed: Mapping[str, Rehearsed] = MappingProxyType({})
) -> Iterable[Finding]:
    """Compare the memory of the smallest GPU with what training took in a rehearsal, or takes by the formula."""
    if not needs_gpu(config):
        yield Finding(READY, "no stage asks for a GPU")
        return
    if not gpus:
        yield Finding(UNKNOWN, "no GPU on this machine; right only if the jobs go to a cluster that has them")
    for name in sorted({gpu.name for gpu in gpus}):
        yield Finding(READY, f"{sum(gpu.name == name for gpu in gpus)} x {name}")
    processes = config.training.processes
    if gpus and len(gpus) < processes:
        yield Finding(MISSING, f"training.processes is {processes}, but there are {len(gpus)} GPUs; lower it")
    if config.training.precision != "bfloat16" or not config.trained:
        return
    if gpus and {run.label for run in config.trained} <= rehearsed.keys():
        yield _check_rehearsed(rehearsed, min(gpu.memory for gpu in gpus))
        return
    if shape is None:
        yield Finding(
            UNKNOWN, "the student's config.json cannot be read yet, so the memory that training takes is not known"
        )
        return
    tokens = micro_batch_tokens(config.training)
    with_all, recomputing = (training_bytes(shape, config.lora, tokens, flag) for flag in (False, True))
    text = f"training on {tokens} tokens at a time takes {with_all / GIB:.0f} GiB, {recomputing / GIB:.0f} GiB with checkpointing"
    memory = min((gpu.memory for gpu in gpus), default=0)
    if not memory:
        yield Finding(UNKNOWN, f"{text} (formula)")
    elif recomputing > memory or (with_all > memory and config.training.gradient_checkpointing == "off"):
        cure = "lower training.tokens_per_micro_batch or training.max_length"
        yield Finding(MISSING, f"{text}, and the smallest GPU has {memory / GIB:.0f} GiB; {cure}")
    elif with_all > memory:
        yield Finding(
            READY, f"{text}: it will checkpoint, a third slower; lower training.tokens_per_micro_batch to avoid it"
        )
    else:
        yield Finding(READY, f"{text}; the smallest GPU has {memory / GIB:.0f} GiB (formula)")
    yield from _check_on_policy(config, shape, memory)


def _check_rehearsed(rehearsed: Mapping[str, Rehearsed], memory: int) -> Finding:
    label, most = max(((label, one.peak_bytes) for label, one in rehearsed.items()), key=lambda pair: pair[1])
    text = f"training took at most {most / GIB:.0f} GiB on the longest rows ({label}, measured)"
    if most > memory:
        return Finding(MISSING, f"{text}, and the smallest GPU has {memory / GIB:.0f} GiB; rehearse on that one")
    return Finding(READY, f"{text}; the smallest GPU has {memory / GIB:.0f} GiB")


def _check_on_policy(config: Config, shape: Shape, memory: int) -> Iterable[Finding]:
    """On-policy training with vLLM beside it: each has its share, and training takes rows of any length."""
    tokens = config.training.micro_batch_size * config.training.max_length
    needed = training_bytes(shape, config.lora, tokens, checkpointing=True)
    for run in config.trained:
        if method_module(run.method).OFFLINE or config.options_of(run).engine != "vllm" or not memory:
            continue
        share = config.options_of(run).gpu_memory_utilization
        if needed > (1 - share) * memory or share * memory < 2 * shape.parameters + 4 * GIB:
            text = (
                f"{run.id}: training takes {needed / GIB:.0f} GiB beside vLLM's {share:.0%} of {memory / GIB:.0f} GiB"
            )
            yield Finding(MISSING, f"{text}; lower training.micro_batch_size or change options.gpu_memory_utilization")


def check_disk(folder: Path, needed: float) -> Finding:
    """Compare the free space where results go with what the formula asks for, and a third more."""
    existing = next(parent for parent in [folder, *folder.resolve().parents] if parent.exists())
    free = shutil.disk_usage(existing).free
    text = f"{free / 1e9:.0f} GB free for results, {needed * DISK_MARGIN / 1e9:.0f} GB needed (formula and 30 %)"
    return Finding(READY, text) if free >= needed * DISK_MARGIN else Finding(MISSING, f"{text}; free some space")


def pinned_versions(environment: Path) -> dict[str, str]:
    """Return the exact pins of an environment file that hold on every platform."""
    lines = environment.read_text(encoding="utf-8").splitlines()
    pins = (re.match(r"\s*- ([A-Za-z0-9_.-]+)==([A-Za-z0-9_.+]+)(?! ;)( |$)", line) for line in lines)
    return {pin[1]: pin[2] for pin in pins if pin}


def check_versions(pins: dict[str, str]) -> Finding:
    """Compare what is installed here with the pins; a conda deployment installs them by itself."""
    wrong = []
    for package, wanted in sorted(pins.items()):
        try:
            found = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found = "none"
        if found.partition("+")[0] != wanted:
            wrong.append(f"{package} {found} instead of {wanted}")
    if not wrong:
        return Finding(READY, f"{len(pins)} packages are at their pinned versions")
    return Finding(MISSING, f"{'; '.join(wrong)}: install the pins, or run with --software-deployment-method conda")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """An answer that leads elsewhere is an error: the key goes to no other address."""

    def redirect_request(self, *_):
        return None


def check_endpoint(model: Model, engine: Engine) -> Finding:
    """Ask the endpoint for its models: it is there, takes the key, and has the teacher."""
    address = engine.base_url
    problem = address_problem(address)
    if problem:
        return Finding(MISSING, f"rollouts.engine.base_url {problem}")
    try:
        key = read_key(engine.key_variable)
    except InputError as error:
        return Finding(MISSING, str(error))
    request = urllib.request.Request(f"{address.rstrip('/')}/models", headers={"Authorization": f"Bearer {key}"})
    try:
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=ANSWER_SECONDS) as answer:
            known = sorted(str(entry["id"]) for entry in json.loads(answer.read(LONGEST_LIST))["data"])
    except urllib.error.HTTPError as error:
        cure = f"set {engine.key_variable}" if error.code in (401, 403) else "check rollouts.engine.base_url"
        return Finding(MISSING, f"{address} answers {error.code}; {cure}")
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError, RecursionError) as error:
        return Finding(
            MISSING, f"{address} gives no list of models ({type(error).__name__}); check rollouts.engine.base_url"
        )
    if model.name not in known:
        others = mask_echoes(", ".join(known[:8])[:300], key)
        return Finding(MISSING, f"{address} has no model {model.name}, only {others}; correct teacher.name")
    return Finding(READY, f"{address} serves {model.name}")


def check_lengths(config: Config) -> Finding:
    """Compare what a completion may take with what training takes."""
    budget, longest = config.rollouts.sampling.max_new_tokens, config.training.max_length
    text = f"training.max_length is {longest}, and a completion of the teacher may take {budget} tokens of its own"
    if longest <= budget:
        return Finding(MISSING, f"{text}; raise the former: rows that are longer than it are left out")
    return Finding(READY, f"{text}: {longest - budget} are left for the prompt; longer rows are left out and counted")


def hub_sources(config: Config, results: Path) -> dict[tuple[str, str], str]:
    """Return {(kind, name): revision} of what is still to be fetched from the hub."""
    sources = {}
    for role, model in (("student", config.student), ("teacher", config.teacher)):
        if model.source == "hub" and not (results / "models" / role).exists():
            sources["model", model.name] = model.revision
    sets = dict(config.evaluation.benchmarks) | ({"train": config.prompts} if config.prompts else {})
    for name, problems in sets.items():
        if problems.source == "hub" and not (results / "prompts" / f"{name}.jsonl").exists():
            sources["dataset", problems.name] = problems.revision
    return sources


def check_revisions(
    sources: dict[tuple[str, str], str], commit_of: Callable[[str, str, str], str]
) -> Iterable[Finding]:
    """Ask the hub for every pinned revision.

    Parameters
    ----------
    commit_of
        (kind, name, revision) to the commit that the hub resolves it to; raises OSError where it has none, or is out of reach.
    """
    for (kind, name), revision in sources.items():
        try:
            commit = commit_of(kind, name, revision)
        except OSError as error:
            yield Finding(
                MISSING,
                f"{kind} {name} at {revision[:12]}: the hub gives none ({type(error).__name__}: {_short(error)})",
            )
        else:
            same = commit == revision
            state, text = (READY, "is there") if same else (MISSING, f"is {commit}; correct the revision")
            yield Finding(state, f"{kind} {name} at {revision[:12]} {text}")


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:160] or "no reason given"


def commit_on_hub(kind: str, name: str, revision: str) -> str:
    """Return the commit that the hub resolves a revision to; OSError where there is none, or no hub."""
    import httpx
    from huggingface_hub import HfApi

    try:
        return HfApi().repo_info(name, repo_type=kind, revision=revision, timeout=ANSWER_SECONDS).sha
    except httpx.HTTPError as error:
        raise OSError(error) from error
