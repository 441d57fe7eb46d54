"""What a finished run leaves behind: the adapter, its training curve, its provenance."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from peft import PeftModel, get_peft_model_state_dict
from safetensors.torch import save_file

from lossgeometry.atomic import atomic_file
from lossgeometry.training.initialisation import write_adapter_config
from lossgeometry.training.job import TrainingJob

LEADING_COLUMNS = ("step", "tokens", "epoch", "loss", "learning_rate", "grad_norm")


def write_training_csv(
    job: TrainingJob, log: Sequence[Mapping], tokens: Sequence[int], rows: int, signals: Mapping
) -> None:
    """Write one line per optimiser step.

    Parameters
    ----------
    log
        Entries of the trainer's history.
    tokens
        Tokens seen after each step.
    rows
        Distinct rows (or pairs): `epoch` is the number of passes over them.
    signals
        {column: key of the trainer's log} of the method's own signals.
    """
    with atomic_file(job.output / "training.csv") as path, open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*LEADING_COLUMNS, *signals])
        for entry in log:
            step = entry["step"]
            values = [step, tokens[step - 1], step * job.training.batch_size / rows]
            values += [entry["loss"], entry["learning_rate"], entry["grad_norm"]]
            values += [entry.get(key, float("nan")) for key in signals.values()]
            writer.writerow([value if isinstance(value, int) else f"{value:.9g}" for value in values])


def write_adapter(job: TrainingJob, model: PeftModel) -> None:
    """Write the trained adapter where the workflow looks for it."""
    save_adapter(job.output, model)


def save_adapter(folder: Path, model: PeftModel) -> None:
    """Write the trained adapter, and no other (DPO's trainer adds a reference adapter), as PEFT reads it."""
    factors = get_peft_model_state_dict(model, adapter_name="default")
    contiguous = {name: factor.detach().float().cpu().contiguous() for name, factor in sorted(factors.items())}
    with atomic_file(folder / "adapter_model.safetensors") as path:
        save_file(contiguous, path, metadata={"format": "pt"})
    write_adapter_config(model.peft_config["default"], folder / "adapter_config.json")
