"""How a batch is divided changes its cost, never its loss, its gradient, or what is logged of it."""

import json
import random

import pandas as pd
import pytest
import torch
from training_tools import build_world, disturb

from lossgeometry.experiment.config import method_module
from lossgeometry.training import preference, token_loss, unpaired
from lossgeometry.training.data_parallel import launch
from lossgeometry.training.examples import in_training_order, labelled_rows, read_rollouts
from lossgeometry.training.micro_batches import by_length, fewest_equal_parts, in_equal_parts
from lossgeometry.training.setup import common_arguments, load_trainable_model
from lossgeometry.training.trainer import train_resumably


def lengths_of(seed: int) -> list[int]:
    generator = random.Random(seed)
    return [generator.randint(1, 400) for _ in range(generator.randint(1, 40))]


@pytest.mark.parametrize("seed", range(20))
def test_every_row_is_in_one_micro_batch_within_the_limits(seed):
    lengths, rows, tokens = lengths_of(seed), 1 + seed % 7, 500
    batches = by_length(lengths, rows, tokens)
    assert sorted(sum(batches, [])) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) <= rows and batch == sorted(batch)
        assert len(batch) == 1 or max(lengths[place] for place in batch) * len(batch) <= tokens
    longest = [max(lengths[place] for place in batch) for batch in batches]
    assert longest == sorted(longest, reverse=True)


def test_without_limits_a_batch_stays_whole_and_in_order():
    assert by_length([3, 9, 1, 9], rows=4, tokens=0) == [[0, 1, 2, 3]]


def test_rows_put_together_by_length_are_padded_less():
    lengths = lengths_of(3) * 4

    def padded(batches):
        return sum(len(batch) * max(lengths[place] for place in batch) for batch in batches)

    in_order = [list(range(start, min(start + 4, len(lengths)))) for start in range(0, len(lengths), 4)]
    assert padded(by_length(lengths, 4, 0)) < 0.8 * padded(in_order)
    assert padded(by_length(lengths, 4, 0)) < 1.2 * sum(lengths)


@pytest.mark.parametrize("seed", range(20))
def test_equal_parts_have_the_same_row_counts_whatever_the_lengths(seed):
    lengths = lengths_of(seed)
    parts = fewest_equal_parts(lengths, rows=6, tokens=900)
    split = in_equal_parts(lengths, parts)
    assert sorted(sum(split, [])) == list(range(len(lengths))) and all(split)
    assert [len(part) for part in split] == [len(part) for part in in_equal_parts([1] * len(lengths), parts)]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return build_world(tmp_path_factory.mktemp("micro"))


def trainer_of(world, name: str, job):
    options = method_module(name).Options()
    if name == "dpo":
        pairs = preference.training_pairs(job, "all_cross")
        arguments = {"loss_type": "sigmoid", "beta": 0.3}
        return preference.make_preference_trainer(job, pairs, world.tokenizer, arguments)
    rows = labelled_rows(method_module("sft").select(read_rollouts(job), options, job), job)
    ordered = in_training_order(rows, job)
    if name == "kto":
        return unpaired.make_unpaired_trainer(
            job, options, unpaired.unpaired_rows(ordered, job.training.batch_size), world.tokenizer
        )
    return token_loss.make_trainer(job, options, ordered, world.tokenizer, method_module(name).token_loss, False)


@pytest.mark.parametrize(("name", "size"), [("rift", 16), ("dpo", 6), ("kto", 16)])
def test_a_token_budget_changes_neither_loss_nor_gradient_nor_signals(world, name, size):
    logs = []
    for budget in (0, 150):
        job = world.job(batch_size=size, micro_batch_size=size, tokens_per_micro_batch=budget)
        trainer = trainer_of(world, name, job)
        disturb(trainer.model)
        split = trainer.split(next(iter(trainer.get_train_dataloader())))
        assert (len(split) > 1) == bool(budget)
        logs.append(train_resumably(trainer, job)[0])
    whole, divided = logs
    signals = {"dpo": preference.SIGNALS, "kto": unpaired.SIGNALS}.get(name, {key: key for key in token_loss.SIGNALS})
    for key in ("loss", "grad_norm", *signals.values()):
        assert divided[key] == pytest.approx(whole[key], rel=2e-5, abs=1e-6), key


def test_the_lora_factors_are_float32_on_a_bfloat16_base(world):
    model = load_trainable_model(world.job(precision="bfloat16"))
    types = {name: parameter.dtype for name, parameter in model.named_parameters()}
    assert {kind for name, kind in types.items() if "lora_" in name} == {torch.float32}
    assert {kind for name, kind in types.items() if "lora_" not in name} == {torch.bfloat16}


def test_a_row_beyond_the_longest_is_counted_and_left_out_never_cut(world):
    whole = world.job(run="whole")
    lengths = [len(ids) for ids in labelled_rows(read_rollouts(whole).assign(weight=1.0), whole)["input_ids"]]
    job = world.job(run="short", max_length=max(lengths) - 1)
    kept = labelled_rows(read_rollouts(job).assign(weight=1.0), job)
    too_long = lengths.count(max(lengths))
    assert job.skipped == {f"longer than max_length {max(lengths) - 1}": too_long}
    assert sorted(map(len, kept["input_ids"])) == sorted(lengths)[: len(lengths) - too_long]


def test_checkpointing_is_off_where_there_is_no_gpu_unless_asked_for(world):
    assert not common_arguments(world.job())["gradient_checkpointing"]
    assert common_arguments(world.job(gradient_checkpointing="on"))["gradient_checkpointing"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["offline_grpo", "dpo"])
def test_two_processes_train_the_adapter_of_one(world, name, monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    adapters, tables = [], []
    for processes in (1, 2):
        output = world.folder / "parallel" / "adapters" / f"{name}-{processes}"
        output.mkdir(parents=True)
        training = {"steps": 3, "batch_size": 4, "micro_batch_size": 4, "max_length": 128}
        cfg = {
            "run": output.name,
            "method": name,
            "learning_rate": 1e-3,
            "init_seed": 1,
            "order_seed": 1,
            "options": {},
            "training": training,
            "prompt_suffix": "",
            "reward": {"deadline_seconds": 5.0},
        }
        speed = {"processes": processes, "tokens_per_micro_batch": 100}
        paths = (world.student, world.initialisation, world.prompts, world.rollouts, output, output.parent.parent)
        if processes == 1:
            from lossgeometry.settings.tasks import TrainedAdapter
            from lossgeometry.training.run import train

            train(TrainedAdapter(**cfg), speed, {}, *paths)
        else:
            launch([cfg, speed, {}, *map(str, paths)], processes)
        from safetensors.torch import load_file

        adapters.append(load_file(output / "adapter_model.safetensors"))
        tables.append(pd.read_csv(output / "training.csv"))
        assert json.loads((output / "run.json").read_text())["run"] == output.name
    one, two = adapters
    assert one.keys() == two.keys()
    for key in one:
        # AdamW turns a gradient that is zero up to rounding into a step of either sign: compare in the norm.
        assert (one[key] - two[key]).norm() <= 1e-3 * one[key].norm() + 1e-7, key
    pd.testing.assert_frame_equal(*tables, rtol=1e-4, atol=1e-6)
