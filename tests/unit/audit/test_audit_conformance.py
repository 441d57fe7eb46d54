"""One plain SGD step of TRL's own trainers, right and with wrong settings, is recognised for what it computes."""

import json

import pandas as pd
import pytest
import torch
from datasets import Dataset
from peft import PeftModel
from training_tools import build_world
from transformers import AutoModelForCausalLM
from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer

from lossgeometry.audit.conformance import AS_NAMED, compare_step, in_words
from lossgeometry.audit.fixed_batch import write_batch
from lossgeometry.errors import InputError
from lossgeometry.files.jsonl import read_lines

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return build_world(tmp_path_factory.mktemp("conformance"))


@pytest.fixture(scope="module")
def batch(world):
    folder = world.folder / "batch"
    frame = world.frame.copy()
    # Completions of unlike lengths: only then do means of means differ from the mean.
    frame.loc[frame["sample"] == 0, "completion"] += " So it is, and it cannot be otherwise, as was to be shown."
    frame.to_parquet(world.folder / "unlike.parquet")
    problems = world.folder / "prompts.jsonl"
    write_batch(folder, world.folder / "unlike.parquet", problems, world.initialisation, world.tokenizer, "", 2)
    return folder


ARGUMENTS = {
    "max_steps": 1,
    "learning_rate": 1.0,
    "lr_scheduler_type": "constant",
    "optim": "sgd",
    "weight_decay": 0.0,
    "max_grad_norm": 0.0,
    "report_to": "none",
    "save_strategy": "no",
    "use_cpu": True,
    "bf16": False,
    "gradient_checkpointing": False,
    "disable_tqdm": True,
    "max_length": None,
}


def model_of(world, batch):
    base = AutoModelForCausalLM.from_pretrained(world.student)
    return PeftModel.from_pretrained(base, batch / "initialisation", is_trainable=True)


def sft_step(world, batch, output, rows=None, micro_batches=1, means=False):
    """Take TRL's SFT step and return the adapter's folder."""
    rows = list(read_lines(batch / "tokens.jsonl")) if rows is None else rows
    arguments = SFTConfig(
        output_dir=str(output),
        dataset_kwargs={"skip_prepare_dataset": True},
        per_device_train_batch_size=len(rows) // micro_batches,
        gradient_accumulation_steps=micro_batches,
        **ARGUMENTS,
    )
    trainer = SFTTrainer(
        model=model_of(world, batch),
        args=arguments,
        train_dataset=Dataset.from_list(rows),
        processing_class=world.tokenizer,
    )
    if means:
        trainer.model_accepts_loss_kwargs = False
    trainer.train()
    trainer.model.save_pretrained(output)
    return output


class TokenisedDPO(DPOTrainer):
    """TRL's DPO trainer on pairs that are tokenised already."""

    def _prepare_dataset(self, dataset, processing_class, args, dataset_name):
        return dataset


def dpo_step(world, batch, output, micro_batches=1):
    pairs = [{key: row[key] for key in row if key.endswith("_ids")} for row in read_lines(batch / "preference.jsonl")]
    arguments = DPOConfig(
        output_dir=str(output),
        per_device_train_batch_size=len(pairs) // micro_batches,
        gradient_accumulation_steps=micro_batches,
        beta=0.1,
        **ARGUMENTS,
    )
    trainer = TokenisedDPO(
        model=model_of(world, batch),
        args=arguments,
        train_dataset=Dataset.from_list(pairs),
        processing_class=world.tokenizer,
    )
    trainer.train()
    trainer.model.save_pretrained(output)
    return output


@pytest.mark.parametrize("micro_batches", [1, 2, 6])
def test_trl_trains_the_mean_over_tokens_in_any_micro_batches(world, batch, tmp_path, micro_batches):
    found = compare_step(sft_step(world, batch, tmp_path, micro_batches=micro_batches), batch, world.student, "sft")
    assert found[0].computed == AS_NAMED and found[0].same, found[0]
    assert in_words(found, "sft").startswith("The step is that of sft: cosine 1.000000, ratio of norms 1.00000")


def test_means_of_means_are_named(world, batch, tmp_path):
    adapter = sft_step(world, batch, tmp_path, micro_batches=6, means=True)
    found = compare_step(adapter, batch, world.student, "sft")
    assert not found[0].same and "mean of the means of micro-batches of 1 rows" in in_words(found, "sft")


def changed(batch, change):
    return [change(dict(row), number) for number, row in enumerate(read_lines(batch / "tokens.jsonl"))]


def dropped(row, number):
    return row | {"labels": [-100] * len(row["labels"])} if number == 5 else row


MISTAKES = {
    "the last of micro-batches of 1 rows is dropped": dropped,
    "end token untrained": lambda row, _: row | {"labels": row["labels"][:-1] + [-100]},
    "prompt trained": lambda row, _: row | {"labels": list(row["input_ids"])},
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_wrong_batch_is_named(world, batch, tmp_path, mistake):
    adapter = sft_step(world, batch, tmp_path, changed(batch, MISTAKES[mistake]))
    found = compare_step(adapter, batch, world.student, "sft")
    assert not found[0].same and found[1].computed == mistake and found[1].same, found[:3]


@pytest.mark.parametrize("micro_batches", [1, 2])
def test_trl_s_dpo_is_dpo_and_not_ipo(world, batch, tmp_path, micro_batches):
    adapter = dpo_step(world, batch, tmp_path, micro_batches)
    assert compare_step(adapter, batch, world.student, "dpo")[0].same
    other = compare_step(adapter, batch, world.student, "ipo")
    assert not other[0].same and not other[0].cosine > 1 - 1e-4


def weighted_step(world, batch, output, weights):
    """Take a step on a weighted sum of the rows' losses, by hand."""
    model = model_of(world, batch)
    rows = list(read_lines(batch / "rows.jsonl"))
    total = torch.zeros(())
    for row, weight in zip(rows, weights(rows), strict=True):
        tokens = torch.tensor([row["prompt_ids"] + row["completion_ids"]])
        start = len(row["prompt_ids"])
        logits = model(tokens).logits[0, start - 1 : -1]
        total = total + weight * torch.nn.functional.cross_entropy(logits, tokens[0, start:], reduction="sum")
    total.backward()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter -= parameter.grad
    model.save_pretrained(output)
    return output


def advantages(rows, spread, bias=0.1):
    """Return r - mean + b, over the standard deviation of the group if `spread`, of every row of the batch, over its tokens."""
    reward = pd.Series([row["reward"] for row in rows])
    groups = reward.groupby([row["prompt_id"] for row in rows])
    values = reward - groups.transform("mean") + bias
    divisor = groups.transform(lambda group: group.std(ddof=0)) if spread else 1.0
    return (values / divisor / sum(len(row["completion_ids"]) for row in rows)).tolist()


def test_advantages_over_a_standard_deviation_are_named(world, batch, tmp_path):
    right = weighted_step(world, batch, tmp_path / "right", lambda rows: advantages(rows, spread=False))
    assert compare_step(right, batch, world.student, "offline_grpo")[0].same
    wrong = weighted_step(world, batch, tmp_path / "wrong", lambda rows: advantages(rows, spread=True))
    found = compare_step(wrong, batch, world.student, "offline_grpo")
    assert not found[0].same and found[0].cosine < 1 - 1e-4, "groups differ in their spread"
    assert found[1].computed == "advantages over the standard deviation of their group" and found[1].same


def test_the_mean_over_the_tokens_of_every_completion_is_named(world, batch, tmp_path):
    adapter = weighted_step(
        world, batch, tmp_path, lambda rows: [1 / len(rows) / len(row["completion_ids"]) for row in rows]
    )
    said = in_words(compare_step(adapter, batch, world.student, "sft"), "sft")
    assert "length-normalised: the mean over the tokens of every completion" in said


def test_another_learning_rate_has_the_direction_and_another_size(world, batch, tmp_path):
    from safetensors.numpy import load_file, save_file

    adapter = sft_step(world, batch, tmp_path)
    tensors = load_file(adapter / "adapter_model.safetensors")
    half = {name: value * (0.5 if "lora_B" in name else 1) for name, value in tensors.items()}
    save_file(half, adapter / "adapter_model.safetensors")
    said = in_words(compare_step(adapter, batch, world.student, "sft"), "sft")
    assert "has the direction of sft and another size" in said and "0.5000" in said


def test_what_cannot_be_compared_is_one_sentence(world, batch, tmp_path):
    with pytest.raises(InputError, match="is its initialisation: the trainer took no step"):
        compare_step(batch / "initialisation", batch, world.student, "sft")
    with pytest.raises(InputError, match="there is no offline method online_grpo; give METHOD"):
        compare_step(batch / "initialisation", batch, world.student, "online_grpo")
    with pytest.raises(InputError, match="holds no batch; write one"):
        compare_step(batch / "initialisation", tmp_path, world.student, "sft")
    broken = tmp_path / "broken"
    broken.mkdir()
    rows = [row | {"completion_ids": row["completion_ids"][1:]} for row in read_lines(batch / "rows.jsonl")]
    (broken / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    with pytest.raises(InputError, match="tokenizer gives other tokens for p0/0 than the batch holds"):
        compare_step(batch / "initialisation", broken, world.student, "sft")
    with pytest.raises(InputError, match="has 2 prompts with a right and a wrong rollout; a batch needs 3"):
        problems = world.folder / "prompts.jsonl"
        write_batch(tmp_path / "b", world.rollouts, problems, world.initialisation, world.tokenizer, "", 3)


def test_the_batch_is_the_same_every_time(world, batch, tmp_path):
    problems = world.folder / "prompts.jsonl"
    write_batch(tmp_path, world.folder / "unlike.parquet", problems, world.initialisation, world.tokenizer, "", 2)
    for name in ("rows.jsonl", "tokens.jsonl", "text.jsonl", "preference.jsonl"):
        assert (tmp_path / name).read_bytes() == (batch / name).read_bytes()
    lengths = pd.Series([len(row["completion_ids"]) for row in read_lines(batch / "rows.jsonl")])
    assert lengths.nunique() > 1
