"""Training that survives being killed: checkpoints that are complete or absent, and a stop at the next safe point."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import broadcast_object_list
from transformers import TrainerCallback
from transformers.trainer_callback import PrinterCallback

from lossgeometry.errors import InputError
from lossgeometry.files.resuming import CheckpointFolder
from lossgeometry.files.stopping import Stopped, StopSignals
from lossgeometry.training.snapshots import KeepSnapshots, publish_snapshots
from lossgeometry.training.training_job import TrainingJob

PROGRESS_EVERY = 20

# What it is mixed in before has no types: to a type checker, anything.
Mixed: Any = object


class ResumableTrainer(Mixed):
    """To be mixed in before a TRL trainer: sequential data, a schedule of its own length, atomic checkpoints."""

    checkpoint_folder: CheckpointFolder | None
    """None in all processes but the first, which alone saves."""
    schedule_steps: int
    clock: float | None = None
    """When the last step was logged; None where steps are not timed."""
    safe_every: int = 1
    """Steps after which the state of the run is in its checkpoint; in between a trainer may hold what a checkpoint has
    not."""

    def create_scheduler(self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None):
        """Build the schedule over `schedule_steps`, which may exceed the steps that are trained."""
        return super().create_scheduler(self.schedule_steps, optimizer)

    def _get_train_sampler(self, train_dataset=None):
        """Go through the rows as they are: `in_training_order` has put them into their order."""
        return torch.utils.data.SequentialSampler(train_dataset if train_dataset is not None else self.train_dataset)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add how long the step took, all that came between it and the one before included."""
        if self.clock is not None and "loss" in logs:
            now = time.perf_counter()
            logs["seconds"], self.clock = now - self.clock, now
        super().log(logs, start_time)

    def store_flos(self) -> None:
        """Count none: processes would have to exchange their counts in the middle of a save, which is the first one's alone."""

    def create_model_card(self, *args, **kwargs) -> None:
        """Write none: a checkpoint is no publication."""

    def _load_from_checkpoint(self, resume_from_checkpoint, model=None) -> None:
        """Load the trained adapter in any case: beside a reference adapter, transformers would load only that one."""
        super()._load_from_checkpoint(resume_from_checkpoint, model)
        self.accelerator.unwrap_model(self.model).load_adapter(resume_from_checkpoint, "default", is_trainable=True)

    def _save_checkpoint(self, model, trial) -> None:
        """Let transformers write its checkpoint into a folder that becomes visible only when complete."""
        if self.checkpoint_folder is None:
            return
        save, output_dir = super()._save_checkpoint, self.args.output_dir

        def write(folder: Path) -> None:
            self.args.output_dir = str(folder)
            save(model, trial)

        try:
            self.checkpoint_folder.save(self.state.global_step, write)
        finally:
            self.args.output_dir = output_dir


class StopAndReport(TrainerCallback):
    """Print a line now and then, and save and stop when a signal came."""

    def __init__(self, stop: StopSignals, safe_every: int, agree: Callable[[bool], bool]):
        self.stop, self.safe_every, self.agree = stop, safe_every, agree

    def on_log(self, args, state, control, logs=None, **kwargs) -> None:
        """Print the loss of every PROGRESS_EVERY-th step."""
        due = state.global_step % PROGRESS_EVERY == 0 or state.global_step == state.max_steps
        if logs and "loss" in logs and due:
            print(f"step {state.global_step} of {state.max_steps}: loss {logs['loss']:.4f}")

    def on_step_end(self, args, state, control, **kwargs) -> None:
        """Ask for a checkpoint and the end of training once a signal came, at the next safe step."""
        safe = state.global_step < state.max_steps and state.global_step % self.safe_every == 0
        if safe and self.agree(self.stop.requested is not None):
            control.should_save = True
            control.should_training_stop = True


def train_resumably(trainer: ResumableTrainer, job: TrainingJob) -> list[dict[str, float]]:
    """Train from the latest sound checkpoint, or from the start, to the last step; return the log of every step.

    Raises
    ------
    InputError
        If the loss became undefined: a diverged adapter is not a result.
    """

    def agree(asked: bool) -> bool:
        """Return whether any process was asked to stop: all must stop after the same step."""
        flag = torch.tensor(float(asked), device=trainer.accelerator.device)
        return bool(trainer.accelerator.reduce(flag, "sum"))

    with ExitStack() as stack:
        folder = None if job.rank else stack.enter_context(CheckpointFolder(job.checkpoints, job.digest))
        stop = stack.enter_context(StopSignals())
        trainer.checkpoint_folder, trainer.schedule_steps = folder, job.schedule_steps
        trainer.remove_callback(PrinterCallback)
        trainer.add_callback(StopAndReport(stop, trainer.safe_every, agree))
        if folder:
            trainer.add_callback(KeepSnapshots(job, folder.path))
        checkpoint = folder.latest() if folder else None
        path = [str(checkpoint.path / f"checkpoint-{checkpoint.step}") if checkpoint else None]
        broadcast_object_list(path)
        if job.training.precision == "bfloat16":
            trainer.clock = time.perf_counter()
        trainer.train(resume_from_checkpoint=path[0])
        if trainer.state.global_step < job.training.steps:
            if job.rank:
                raise Stopped
            stop.leave(f"step {trainer.state.global_step} of {job.training.steps}")
        log = [entry for entry in trainer.state.log_history if "loss" in entry]
        if any(entry["loss"] != entry["loss"] for entry in log):
            raise InputError(f"the loss of {job.run} became undefined (NaN); lower its learning rate")
        if folder:
            publish_snapshots(job, folder.path)
    return log
