"""Training that survives being killed: checkpoints that are complete or absent, and a stop at the next safe point."""

import math
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import broadcast_object_list
from peft import PeftModel
from peft.tuners.lora import LoraLayer
from transformers import TrainerCallback
from transformers.trainer_callback import PrinterCallback

from lossgeometry.errors import InputError
from lossgeometry.files.resuming import CheckpointFolder
from lossgeometry.files.stopping import Stopped, StopSignals
from lossgeometry.training.divergence import Batch, divergence_from_base, is_due
from lossgeometry.training.snapshots import KeepSnapshots, publish_snapshots
from lossgeometry.training.training_job import TrainingJob

PROGRESS_EVERY = 20
CHECKPOINT_SECONDS = 600.0
"""Longest time between checkpoints, whatever `training.checkpoint_every` is in steps."""

# What it is mixed in before has no types: to a type checker, anything.
Mixed: Any = object


class ResumableTrainer(Mixed):
    """To be mixed in before a TRL trainer: sequential data, a schedule of its own length, atomic checkpoints."""

    checkpoint_folder: CheckpointFolder | None
    """None in all processes but the first, which alone saves."""
    stop: StopSignals
    run: str
    saved_at: float = 0.0
    """When the last checkpoint was saved, or the training started; seconds of `time.monotonic`."""
    schedule_steps: int
    clock: float | None = None
    """When the last step was logged; None where steps are not timed."""
    measured: list[Batch] | None = None
    """The sequences of a step after which the divergence from the base is measured."""
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
        """Add how long the step took, all that came between it and the one before included but what is measured here: the norm
        of the update and, after some steps, the divergence from the base."""
        if "loss" in logs:
            if self.clock is not None:
                logs["seconds"] = time.perf_counter() - self.clock
            logs["update_norm"] = update_norm(self.accelerator.unwrap_model(self.model))
            if self.measured:
                logs["kl_to_base"] = self._divergence(self.measured)
                self.measured = None
            if self.clock is not None:
                self.clock = time.perf_counter()
        super().log(logs, start_time)

    def measure(self, ids: torch.Tensor, attended: torch.Tensor, completion: torch.Tensor) -> None:
        """Let the divergence from the base be measured on these sequences of the step that is being taken, if it is due."""
        if is_due(self.state.global_step + 1, self.state.max_steps):
            self.measured = [*(self.measured or []), (ids, attended, completion)]

    def _divergence(self, batches: list[Batch]) -> float:
        """Return the mean of KL(policy || base) over the completion tokens of the step, of all processes, in nats."""
        with self.accelerator.autocast():
            sums = divergence_from_base(self.accelerator.unwrap_model(self.model), batches)
        pair = torch.tensor(sums, dtype=torch.float64, device=self.accelerator.device)
        total, tokens = self.accelerator.reduce(pair, "sum").tolist()
        return total / tokens

    def _get_grad_norm(self, model, grad_norm=None):
        """Stop before a step on a loss or a gradient that is not finite: a diverged adapter is not a result.

        Raises
        ------
        InputError
            With the step, the cause, and the cure.
        """
        norm = super()._get_grad_norm(model, grad_norm)
        loss = float(self._tr_loss)
        if not (math.isfinite(norm) and math.isfinite(loss)):
            broken = _not_finite(model, lambda parameter: parameter.grad) or "the sum over modules"
            cause = (
                f"its loss is {loss}"
                if not math.isfinite(loss)
                else f"its gradient is {float(norm)}, first in {broken}"
            )
            raise InputError(
                f"{self.run} cannot take step {self.state.global_step + 1}: {cause}; lower its learning rate, or look at"
                " the last lines of its log"
            )
        return norm

    def stop_if_asked(self) -> None:
        """Leave in the middle of a step that has only sampled so far, once a signal came; what it began from is saved."""
        if self.stop.requested is None:
            return
        if self.state.global_step and self.checkpoint_folder is not None:
            self._save_checkpoint(self.model, None)
        self.stop.leave(f"step {self.state.global_step} of {self.state.max_steps}")

    def store_flos(self) -> None:
        """Count none: processes would have to exchange their counts in the middle of a save, which is the first one's alone."""

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Count none: every step would go through all modules for it."""
        return 0

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
        broken = _not_finite(self.model, lambda parameter: parameter)
        if broken:
            raise InputError(
                f"{self.run} is no longer finite after step {self.state.global_step}, first in {broken}; lower its"
                " learning rate (that checkpoint was dropped)"
            )
        save, output_dir = super()._save_checkpoint, self.args.output_dir

        def write(folder: Path) -> None:
            self.args.output_dir = str(folder)
            save(model, trial)

        try:
            self.checkpoint_folder.save(self.state.global_step, write)
        finally:
            self.args.output_dir = output_dir
        self.saved_at = time.monotonic()


def update_norm(model: PeftModel) -> float:
    """Return the Frobenius norm of dW = scale B A over all modules, by |B A|^2 = <B^T B, A A^T>: no matrix is formed."""
    total = torch.zeros((), dtype=torch.float64)
    for layer in model.modules():
        if isinstance(layer, LoraLayer) and "default" in layer.lora_A:
            a, b = layer.lora_A["default"].weight.detach(), layer.lora_B["default"].weight.detach()
            total = total.to(a.device) + layer.scaling["default"] ** 2 * ((b.T @ b).double() * (a @ a.T).double()).sum()
    return float(total.clamp(min=0).sqrt())


def _not_finite(model: torch.nn.Module, tensor_of: Callable[[torch.nn.Parameter], torch.Tensor | None]) -> str:
    """Return the name of the first trained parameter of which a tensor holds NaN or infinity; empty for none."""
    for name, parameter in model.named_parameters():
        tensor = tensor_of(parameter) if parameter.requires_grad else None
        if tensor is not None and not torch.isfinite(tensor).all():
            return name.removeprefix("module.").removeprefix("base_model.model.").replace(".default.weight", "")
    return ""


class StopAndReport(TrainerCallback):
    """Print a line now and then, save after a while, and save and stop when a signal came."""

    def __init__(self, trainer: ResumableTrainer, agree: Callable[[bool], bool]):
        self.trainer, self.agree = trainer, agree

    def on_log(self, args, state, control, logs=None, **kwargs) -> None:
        """Print the loss of every PROGRESS_EVERY-th step."""
        due = state.global_step % PROGRESS_EVERY == 0 or state.global_step == state.max_steps
        if logs and "loss" in logs and due:
            print(f"step {state.global_step} of {state.max_steps}: loss {logs['loss']:.4f}")

    def on_step_end(self, args, state, control, **kwargs) -> None:
        """Ask for a checkpoint when the last is old, and for one and the end of training once a signal came, at a safe step."""
        trainer = self.trainer
        if state.global_step >= state.max_steps or state.global_step % trainer.safe_every:
            return
        if time.monotonic() - trainer.saved_at > CHECKPOINT_SECONDS:
            control.should_save = True
        if self.agree(trainer.stop.requested is not None):
            control.should_save = True
            control.should_training_stop = True


def train_resumably(trainer: ResumableTrainer, job: TrainingJob) -> list[dict[str, float]]:
    """Train from the latest sound checkpoint, or from the start, to the last step; return the log of every step."""

    def agree(asked: bool) -> bool:
        """Return whether any process was asked to stop: all must stop after the same step."""
        flag = torch.tensor(float(asked), device=trainer.accelerator.device)
        return bool(trainer.accelerator.reduce(flag, "sum"))

    with ExitStack() as stack:
        folder = None if job.rank else stack.enter_context(CheckpointFolder(job.checkpoints, job.digest))
        trainer.stop = stack.enter_context(StopSignals())
        trainer.checkpoint_folder, trainer.schedule_steps, trainer.run = folder, job.schedule_steps, job.run
        trainer.remove_callback(PrinterCallback)
        trainer.add_callback(StopAndReport(trainer, agree))
        if folder:
            trainer.add_callback(KeepSnapshots(job, folder.path))
        checkpoint = folder.latest() if folder else None
        path = [str(checkpoint.path / f"checkpoint-{checkpoint.step}") if checkpoint else None]
        broadcast_object_list(path)
        if job.training.precision == "bfloat16":
            trainer.clock = time.perf_counter()
        trainer.saved_at = time.monotonic()
        trainer.train(resume_from_checkpoint=path[0])
        if trainer.state.global_step < job.training.steps:
            if job.rank:
                raise Stopped
            trainer.stop.leave(f"step {trainer.state.global_step} of {job.training.steps}")
        if folder:
            publish_snapshots(job, folder.path)
    return [entry for entry in trainer.state.log_history if "loss" in entry]
