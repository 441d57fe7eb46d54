"""What `make rehearse` measured, and how long runs will take by it. Light."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lossgeometry.files.atomic import atomic_file
from lossgeometry.methods import method_module
from lossgeometry.planning.estimates import LOAD_HOURS, PROMPT_TOKENS, completion_tokens

if TYPE_CHECKING:
    from lossgeometry.experiment.config import Config
    from lossgeometry.experiment.runs import Run

FILE = "rehearsal.json"


@dataclass(frozen=True)
class Rehearsed:
    """One method's optimiser step; NaN is what could not be measured, or does not apply."""

    seconds: float = math.nan
    """Of one step; on-policy with its share of the sampling."""
    tokens: float = math.nan
    """Of the sequences of one step, prompts included."""
    peak_bytes: float = math.nan
    mfu: float = math.nan
    mixed_share: float = math.nan
    mismatch: float = math.nan
    """Mean |log ratio| of trainer to sampler per token."""
    failed: str = ""
    """Why the step could not be taken; empty where it was."""


def write_rehearsal(results: Path, device: str, methods: Mapping[str, Rehearsed]) -> None:
    """Write what was measured, by the methods' labels."""
    values = {label: asdict(one) for label, one in methods.items()}
    with atomic_file(results / FILE) as path:
        path.write_text(json.dumps({"device": device, "methods": values}, indent=2) + "\n", encoding="utf-8")


def read_rehearsal(results: Path) -> dict[str, Rehearsed]:
    """Return what was measured, by the methods' labels; nothing where there was no rehearsal, or a step failed."""
    file = results / FILE
    if not file.is_file():
        return {}
    methods = json.loads(file.read_text(encoding="utf-8"))["methods"]
    found = {label: Rehearsed(**values) for label, values in methods.items()}
    return {label: one for label, one in found.items() if not one.failed}


def run_hours(config: "Config", run: "Run", measured: Rehearsed) -> float:
    """Return the hours of a run. Offline steps are scaled from the longest rows to rows of the length that is assumed."""
    steps = config.methods[run.label].steps or config.training.steps
    if method_module(run.method).OFFLINE:
        expected = PROMPT_TOKENS + completion_tokens(config.rollouts.sampling.max_new_tokens)
        seconds = measured.seconds * min(1.0, expected / config.training.max_length)
    else:
        seconds = measured.seconds
    return LOAD_HOURS + steps * seconds / 3600


def rehearsed_seconds(config: "Config", results: Path) -> dict[str, float]:
    """Return the seconds of every run whose method was rehearsed."""
    methods = read_rehearsal(results)
    known = ((run.id, methods.get(run.label)) for run in config.trained)
    runs = {run.id: run for run in config.trained}
    return {
        name: 3600 * run_hours(config, runs[name], one) for name, one in known if one and math.isfinite(one.seconds)
    }
