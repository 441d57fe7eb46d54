"""What a finished run leaves behind: the adapter, its training curve, its provenance."""

import json
import math
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path

from peft import PeftModel, get_peft_model_state_dict
from safetensors.torch import save_file

from lossgeometry.costs import shape_of, step_flops
from lossgeometry.files.atomic import atomic_file
from lossgeometry.files.csv_rows import write_rows
from lossgeometry.settings.training import Lora
from lossgeometry.training.initialisation import write_adapter_config
from lossgeometry.training.training_job import TrainingJob

LEADING_COLUMNS = ("step", "tokens", "epoch", "loss", "learning_rate", "grad_norm")
COMMON_SIGNALS = ("update_norm", "kl_to_base", "completion_tokens", "entropy")
"""Of every method: the norm of dW after the step; KL(policy || base) over the whole vocabulary, in nats, a mean over the step's
completion tokens, after some steps alone (`divergence.is_due`; elsewhere NaN: not measured); the tokens that the loss was taken on,
and their mean entropy under the policy before the step."""
SPEED_COLUMNS = ("seconds", "flop")
"""What a step took, and its arithmetic by `costs.step_flops`."""


def finish(
    job: TrainingJob,
    trainer,
    log: Sequence[Mapping],
    sequences: Sequence[Sequence[int]],
    rows: int,
    signals: Mapping[str, str],
) -> None:
    """Write what an offline run leaves behind.

    Parameters
    ----------
    sequences
        Lengths in tokens, prompts included, of the sequences that each row of the data is to the model, in training order.
    rows, signals
        As `write_training_csv` takes them.
    """
    size = job.training.batch_size
    steps = [list(chain.from_iterable(sequences[start : start + size])) for start in range(0, len(sequences), size)]
    write_training_csv(job, log, steps, rows, signals)
    write_adapter(job, trainer.accelerator.unwrap_model(trainer.model))


def write_training_csv(
    job: TrainingJob, log: Sequence[Mapping], steps: Sequence[Sequence[int]], rows: int, signals: Mapping[str, str]
) -> None:
    """Write one line per optimiser step; in bfloat16 with the speed, which no two runs share.

    Parameters
    ----------
    log
        Entries of the trainer's history.
    steps
        Lengths of the sequences of each step.
    rows
        Distinct rows (or pairs): `epoch` is the number of passes over them.
    signals
        {column: key of the trainer's log} of the method's own signals.
    """
    if job.rank:
        return
    keys = dict(signals) | {name: name for name in COMMON_SIGNALS}
    timed = job.training.precision == "bfloat16"
    flops = _flops(job, steps) if timed else []
    lines, total = [], 0
    for entry, lengths in zip(log, steps, strict=False):
        total += sum(lengths)
        values = [entry["step"], total, entry["step"] * job.training.batch_size / rows]
        values += [entry["loss"], entry["learning_rate"], entry["grad_norm"]]
        if timed:
            values += [entry["seconds"], flops[entry["step"] - 1]]
        lines.append([*values, *(entry.get(key, math.nan) for key in keys.values())])
    columns = [*LEADING_COLUMNS, *(SPEED_COLUMNS if timed else ()), *keys]
    write_rows(job.output / "training.csv", columns, lines, digits=9)


def _flops(job: TrainingJob, steps: Sequence[Sequence[int]]) -> list[float]:
    """Return the arithmetic of each step, in FLOP."""
    shape = shape_of(json.loads((job.student / "config.json").read_text()))
    adapter = json.loads((job.initialisation / "adapter_config.json").read_text())
    lora = Lora(rank=adapter["r"], target_modules=adapter["target_modules"])
    return [step_flops(shape, lora, lengths) for lengths in steps]


def write_adapter(job: TrainingJob, model: PeftModel) -> None:
    """Write the trained adapter where the workflow looks for it."""
    if not job.rank:
        save_adapter(job.output, model)


def save_adapter(folder: Path, model: PeftModel) -> None:
    """Write the trained adapter, and no other (DPO's trainer adds a reference adapter), as PEFT reads it."""
    factors = get_peft_model_state_dict(model, adapter_name="default")
    contiguous = {name: factor.detach().float().cpu().contiguous() for name, factor in sorted(factors.items())}
    with atomic_file(folder / "adapter_model.safetensors") as path:
        save_file(contiguous, path, metadata={"format": "pt"})
    write_adapter_config(model.peft_config["default"], folder / "adapter_config.json")
