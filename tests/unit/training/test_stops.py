"""A run stops where its numbers end, saves every few minutes, and never saves what is not finite."""

import math

import pytest
import torch
from test_training_runs import at_step_zero
from training_tools import build_world
from transformers import TrainerCallback

from lossgeometry.errors import InputError
from lossgeometry.files.resuming import CheckpointFolder
from lossgeometry.training import trainer as trainer_module
from lossgeometry.training.micro_batches import MicroBatchTrainer
from lossgeometry.training.trainer import train_resumably


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return build_world(tmp_path_factory.mktemp("stops"))


@pytest.fixture
def saved(monkeypatch):
    """The steps of the checkpoints that were saved."""
    steps, save = [], CheckpointFolder.save
    monkeypatch.setattr(
        CheckpointFolder, "save", lambda self, step, write: steps.append(step) or save(self, step, write)
    )
    return steps


def trained(trainer):
    return [(name, parameter) for name, parameter in trainer.model.named_parameters() if parameter.requires_grad]


class AtStep(TrainerCallback):
    """Do something once an optimiser step is taken."""

    def __init__(self, step, act):
        self.step, self.act = step, act

    def on_optimizer_step(self, args, state, control, **kwargs):
        if state.global_step + 1 == self.step:
            self.act()


OPTIONS = {"online_grpo": {"generations": 4, "max_new_tokens": 8}}


@pytest.mark.parametrize("method", ["sft", "dpo", "kto", "online_grpo"])
def test_a_loss_that_is_not_finite_stops_at_its_step(world, monkeypatch, saved, method):
    job = world.job(steps=4, checkpoint_every=1, run=method)
    trainer = at_step_zero(monkeypatch, job, method, **OPTIONS.get(method, {}))
    monkeypatch.undo()
    compute = trainer.compute_loss
    trainer.compute_loss = lambda *arguments, **named: (
        compute(*arguments, **named) * (math.nan if trainer.state.global_step == 2 else 1)
    )
    with pytest.raises(InputError, match=f"^{method} cannot take step 3: its loss is nan; lower its learning rate"):
        train_resumably(trainer, job)


def test_a_gradient_that_is_not_finite_is_named(world, monkeypatch):
    job = world.job(steps=2)
    trainer = at_step_zero(monkeypatch, job, "sft")
    name, parameter = trained(trainer)[3]
    parameter.register_hook(lambda gradient: gradient * math.inf)
    with pytest.raises(InputError) as error:
        train_resumably(trainer, job)
    place = name.removeprefix("base_model.model.").replace(".default.weight", "")
    assert str(error.value).startswith("run cannot take step 1: its gradient is") and place in str(error.value)


def test_a_checkpoint_that_is_not_finite_is_dropped(world, monkeypatch, saved):
    job = world.job(steps=4, checkpoint_every=1)
    trainer = at_step_zero(monkeypatch, job, "sft")
    weight = trained(trainer)[0][1]
    trainer.add_callback(AtStep(3, lambda: torch.nn.init.constant_(weight, math.nan)))
    with pytest.raises(InputError, match="run is no longer finite after step 3, first in model.layers.0"):
        train_resumably(trainer, job)
    assert saved == [1, 2]


@pytest.mark.parametrize(
    ("method", "options", "steps"), [("dpo", {}, [1, 2, 3, 4]), ("online_grpo", {"updates_per_generation": 2}, [2, 4])]
)
def test_a_checkpoint_is_saved_after_a_while_at_steps_that_can_be_continued(
    world, monkeypatch, saved, method, options, steps
):
    job = world.job(steps=5, batch_size=4, micro_batch_size=4, checkpoint_every=100, run=method)
    trainer = at_step_zero(monkeypatch, job, method, **OPTIONS.get(method, {}) | options)
    with monkeypatch.context() as patch:
        patch.setattr(trainer_module, "CHECKPOINT_SECONDS", -1.0)
        train_resumably(trainer, job)
    assert [step for step in saved if step < 5] == steps


@pytest.mark.parametrize("method", ["dpo", "kto"])
def test_a_continued_run_has_the_reference_s_log_probabilities(world, monkeypatch, method):
    job = world.job(run=method)
    first = at_step_zero(monkeypatch, job, method).train_dataset[:]
    asked = []
    monkeypatch.setattr(MicroBatchTrainer, "_reference_columns", lambda *arguments: asked.append(arguments))
    assert at_step_zero(monkeypatch, job, method).train_dataset[:] == first and not asked
    (kept,) = (job.checkpoints / job.digest).glob("reference/*.safetensors")
    kept.write_bytes(kept.read_bytes()[:-1] + b"x")
    monkeypatch.undo()
    assert at_step_zero(monkeypatch, job, method).train_dataset[:] == first, "damage is found, and computed again"
