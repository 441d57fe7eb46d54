"""Rehearse every method of an experiment: a run of each, two steps or one generated batch, in the engine and batch it will have."""

import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lossgeometry import jobs
from lossgeometry.costs import GIB
from lossgeometry.experiment.config import Config
from lossgeometry.experiment.runs import Run
from lossgeometry.methods import method_module
from lossgeometry.planning.rehearsed import Rehearsed, run_hours
from lossgeometry.provenance import SCRIPTS
from lossgeometry.script import THREAD_VARIABLES

CHILD = "lossgeometry.rehearsal.measurement"
NEVER = 1_000_000


def rehearsed_runs(config: Config) -> list[Run]:
    """Return the first run of every method."""
    return list({run.label: run for run in reversed(config.trained)}.values())[::-1]


def short_task(config: Config, run: Run) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what the job of a run is told, with as few steps as show its speed, and one process with its share of the batch."""
    told, speed = jobs.training.adapter(config, run.id), jobs.training.speed(config, run.id)
    processes = speed.get("processes", 1)
    steps = 2 if method_module(run.method).OFFLINE else config.options_of(run).updates_per_generation
    batch = config.training.batch_size // processes
    micro = math.gcd(config.training.micro_batch_size, batch)
    shorter = {"steps": steps, "schedule_steps": 0, "batch_size": batch}
    if "micro_batch_size" in speed:
        speed["micro_batch_size"] = micro
    else:
        shorter["micro_batch_size"] = micro
    told.pop("composition", None)
    speed.pop("snapshots", None)
    told["training"] |= shorter
    return told, speed | {"processes": 1, "checkpoint_every": NEVER}


def rehearse(config: Config, results: Path) -> Iterator[tuple[str, str, Rehearsed]]:
    """Yield (device, method, what was measured) for every method; a step that fails says why, and ends no other.

    Logs go to <results>/logs/rehearse.
    """
    environment = os.environ | dict.fromkeys(THREAD_VARIABLES, str(config.training.threads))
    environment |= {"PYTHONPATH": str(SCRIPTS), "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    for run in rehearsed_runs(config):
        log = results / "logs" / "rehearse" / f"{run.label}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as folder, log.open("w", encoding="utf-8") as lines:
            output = Path(folder) / "measured.json"
            paths = ("models/student", f"initialisations/s{run.init_seed}", "prompts/train.jsonl")
            argument = json.dumps([*short_task(config, run), str(output), *(str(results / path) for path in paths)])
            call = [sys.executable, "-m", CHILD, argument]
            subprocess.run(call, env=environment, stdout=lines, stderr=subprocess.STDOUT, check=False)
            if output.is_file():
                facts = json.loads(output.read_text(encoding="utf-8"))
                yield facts["device"], run.label, Rehearsed(**facts["measured"])
                continue
        last = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()][-1:]
        yield "", run.label, Rehearsed(failed=f"{' '.join(last)[:200]} (see {log})")


def format_rehearsal(config: Config, measured: Mapping[str, Rehearsed]) -> str:
    """Return what was measured as a Markdown table, with the hours that the runs of each method will take."""
    lines = [
        "| method | peak memory, GiB | tokens/s | MFU | mixed groups | mismatch, nats | hours of its runs |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for label, one in measured.items():
        if one.failed:
            lines.append(f"| {label} | failed | ? | ? | ? | ? | ? |")
            continue
        hours = sum(run_hours(config, run, one) for run in config.trained if run.label == label)
        shown = (
            _number(one.peak_bytes / GIB, ".1f"),
            _number(one.tokens / one.seconds, ".0f"),
            _number(one.mfu, ".0%"),
            _number(one.mixed_share, ".0%"),
            _number(one.mismatch, ".4f"),
            _number(hours, ".2f"),
        )
        lines.append(f"| {label} | {' | '.join(shown)} |")
    failures = [f"{label}: {one.failed}" for label, one in measured.items() if one.failed]
    return "\n".join([*lines, *failures])


def _number(value: float, form: str) -> str:
    return format(value, form) if math.isfinite(value) else ""
