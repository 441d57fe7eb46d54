"""The stage of training: what it writes down, costs and shows."""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from lossgeometry.costs import lora_parameters, step_flops
from lossgeometry.methods import method_module
from lossgeometry.planning.estimates import (
    LOAD_HOURS,
    MIXED_SHARE,
    PROMPT_TOKENS,
    TRAINING_MFU,
    Cost,
    Work,
    completion_tokens,
    decode_hours,
)
from lossgeometry.planning.rehearsed import run_hours
from lossgeometry.stage import SMOKE_PROMPTS, SMOKE_STEPS, Column, Figure, Stage, Table, always, cut

if TYPE_CHECKING:
    from lossgeometry.experiment.config import Config
    from lossgeometry.experiment.runs import Run


def _on_gpu(config: "Config") -> bool:
    return bool(config.trained) and config.training.precision == "bfloat16"


def _shrink(block: dict[str, Any]) -> dict[str, Any]:
    batch = SMOKE_PROMPTS * block["processes"]
    snapshots = block["snapshots"]
    return cut(block, steps=SMOKE_STEPS) | {
        "snapshots": snapshots if snapshots == "log" else tuple(step for step in snapshots if step < SMOKE_STEPS),
        "schedule_steps": 0 if not block["schedule_steps"] else SMOKE_STEPS + 2,
        "batch_size": batch,
        "micro_batch_size": math.gcd(block["micro_batch_size"], batch),
        "checkpoint_every": SMOKE_STEPS // 2,
    }


def _costs(config: "Config", work: Work) -> Sequence[Cost]:
    runs = config.trained
    if not runs:
        return ()
    factors = 4.0 * lora_parameters(work.shape, config.lora)
    hours = sum(_hours(config, run, work) for run in runs)
    # Two checkpoints of factors and both moments stand beside the adapter while a run lasts; take one run at a time.
    kept = len(runs) * (1 + len(config.snapshot_steps)) * factors
    known = sum(run.label in work.rehearsed for run in runs)
    source = "formula" if not known else "measured" if known == len(runs) else "partly measured"
    return [Cost("training", len(runs), hours, kept + 2 * 3 * factors, source)]


def _hours(config: "Config", run: "Run", work: Work) -> float:
    if run.label in work.rehearsed:
        return run_hours(config, run, work.rehearsed[run.label])
    method, shape, device = config.methods[run.label], work.shape, work.device
    steps, rows = method.steps or config.training.steps, config.training.batch_size
    tokens = completion_tokens(config.rollouts.sampling.max_new_tokens)
    sampling = 0.0
    if not method_module(run.method).OFFLINE:
        options = config.options_of(run)
        tokens = completion_tokens(options.max_new_tokens)
        # The slowest completion of a batch keeps it waiting: decode at its budget, with the batch in flight. Dynamic sampling
        # asks for several times the batch, and again until enough of it is mixed.
        at_once = getattr(options, "oversampling", 1.0)
        calls = math.ceil(1 / (MIXED_SHARE * at_once)) if hasattr(options, "oversampling") else 1
        batch = rows * options.updates_per_generation * at_once
        generations = steps / options.updates_per_generation
        sampling = generations * calls * decode_hours(shape, batch, options.max_new_tokens, batch, device)
    pairs = 2 if run.method in ("dpo", "ipo", "simpo") else 1
    arithmetic = steps * step_flops(shape, config.lora, [int(PROMPT_TOKENS + tokens)] * rows * pairs)
    return sampling + arithmetic / (TRAINING_MFU * device.tflops * 1e12) / 3600 + LOAD_HOURS


def _figures(config: "Config") -> Iterator[Figure]:
    if config.trained:
        title = "training loss; each method has a scale of its own"
        yield Figure("training_loss", "training_loss", "Training", "training", title, height=220)


RUNS = Table(
    "runs",
    "One run; one that was not trained here has only the first six columns",
    (
        Column("run", "`<method>.lr<learning rate>.s<seed>`, `external.<name>`, or `control.<name>`"),
        Column("method", "key of `methods`, or the name of an adapter or control that was not trained here"),
        Column("learning_rate", "peak learning rate; 0 without training here"),
        Column("seed", "seed of initialisation and data order; `<init>-o<order>` where they differ"),
        Column(
            "origin",
            "`trained` here, `given` by the user, `untrained` (an initialisation as it was drawn), `derived` from another, or a"
            " `snapshot` of one",
        ),
        Column(
            "control", "`shuffled verdicts`, `untrained` or `random directions`; empty for a run that is no control"
        ),
        Column("steps", "optimiser steps taken"),
        Column("tokens", "tokens trained on, counted each time they are seen", "tokens"),
        Column("epochs", "passes over the rows that the method takes from the rollouts"),
        Column("learning_rate_sum", "sum of the learning rates of all steps: how far they could lead"),
        Column(
            "clipped",
            "share of tokens whose ratio the clip bounded, over all steps: at 0 it never acted; empty offline",
        ),
        Column("loss_first", "loss at the first step; each method has a loss of its own"),
        Column("loss_last", "mean loss over the last 10 steps"),
        Column("rows_left_out", "rows of the rollouts that the method could not use"),
        Column("left_out_because", "reasons, each with its number of rows"),
        Column("device", "processor or GPU that trained it"),
        Column("driver", "driver of the GPU; empty on a CPU"),
        Column("versions", "versions of the packages that trained it"),
        Column("config_digest", "digest of the settings that the run was given"),
        Column("code_digest", "digest of the code that trained it"),
    ),
    always,
    None,
)
STAGE = Stage(
    block="training",
    tables=(RUNS,),
    on_gpu=_on_gpu,
    shrink=_shrink,
    costs=_costs,
    figures=_figures,
    section="training.section",
    statements="training.statements",
    charts="training.charts",
)
