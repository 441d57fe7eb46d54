"""One audit from files to file: its products are those of the losses' own gradients, and bad input is one sentence."""

import json

import numpy as np
import pytest
import torch
from peft import PeftModel
from training_tools import build_world
from transformers import AutoModelForCausalLM

from lossgeometry.audit.measurement import audit
from lossgeometry.audit.stored import Products
from lossgeometry.errors import InputError
from lossgeometry.generation.templating import completion_token_ids, prompt_token_ids
from lossgeometry.settings.tasks import AuditedLosses

NAMES = ("sft", "rft", "dft", "dpo")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return build_world(tmp_path_factory.mktemp("audit"))


def run(world, output, names=NAMES, frame=None, **changes):
    losses = [{"label": name, "method": name, "options": {}} for name in names]
    values = {
        "losses": losses,
        "batch_size": 4,
        "max_length": 128,
        "prompt_suffix": "",
        "order_seed": 3,
        "prompts": 0,
        "folds": 2,
    }
    values |= {"precision": "float32", "tokens_per_batch": 256}
    rollouts = world.rollouts
    if frame is not None:
        rollouts = output.with_suffix(".parquet")
        frame.to_parquet(rollouts)
    task = AuditedLosses.from_told(values | changes)
    audit(task, world.student, world.initialisation, world.folder / "prompts.jsonl", rollouts, output)
    return Products(output)


@pytest.fixture(scope="module")
def products(world):
    return run(world, world.folder / "products.safetensors")


def cosine(products, a, b):
    gram = products.folds(products.modules).sum(axis=(1, 3))
    a, b = products.labels.index(a), products.labels.index(b)
    return gram[a, b] / np.sqrt(gram[a, a] * gram[b, b])


def dense_changes(world, rows, coefficient):
    """Return dB A of every module for sum_i sum_t c log p, as one vector, from one graph."""
    base = AutoModelForCausalLM.from_pretrained(world.student, dtype=torch.float32)
    model = PeftModel.from_pretrained(base, world.initialisation, is_trainable=True).eval()
    problems = {row["id"]: row["problem"] for row in world.job().prompts.values()}
    total = torch.zeros(())
    for row in rows.itertuples():
        prompt = prompt_token_ids(world.tokenizer, problems[row.prompt_id], "")
        ids = completion_token_ids(world.tokenizer, row.completion, row.finish_reason != "length")
        logits = model(torch.tensor([prompt + ids])).logits[0, len(prompt) - 1 : -1]
        log_p = torch.log_softmax(logits, -1).gather(1, torch.tensor(ids)[:, None])[:, 0]
        total = total + coefficient(row) * log_p.sum()
    total.backward()
    modules = [module for module in model.modules() if hasattr(module, "lora_A")]
    parts = [module.lora_B.default.weight.grad @ module.lora_A.default.weight.detach() for module in modules]
    return torch.cat([part.flatten() for part in parts]).double().numpy()


def test_cosines_are_those_of_the_summed_losses(world, products):
    sft = dense_changes(world, world.frame, lambda row: 1.0)
    rft = dense_changes(world, world.frame[world.frame.reward > 0], lambda row: 1.0)
    expected = sft @ rft / np.linalg.norm(sft) / np.linalg.norm(rft)
    assert abs(cosine(products, "sft", "rft") - expected) < 1e-5


def test_a_repeated_rollout_counts_as_often_as_it_is_there(world, products, tmp_path):
    """They share one pass through the model, which must not show."""
    again = world.frame.assign(sample=world.frame["sample"] + 4)
    frame = type(world.frame)(np.concatenate([world.frame, again]), columns=world.frame.columns)
    frame = frame.astype(world.frame.dtypes).sort_values(["prompt_id", "sample"], ignore_index=True)
    twice = run(world, tmp_path / "twice.safetensors", names=("sft", "rft"), frame=frame)
    once = products.classes[:2, :, :, :2]
    np.testing.assert_allclose(twice.classes, 4 * once, rtol=1e-4, atol=1e-6 * np.abs(once).max())
    assert twice.units.tolist() == [32, 16]


def test_products_add_up_and_are_written_again_with_the_same_bytes(world, products, tmp_path):
    summed = products.classes.sum(axis=(2, 5))
    np.testing.assert_allclose(products.folds(products.modules), summed, rtol=1e-9, atol=1e-12 * np.abs(summed).max())
    assert products.paired == ["dpo"] and products.units.tolist() == [16, 8, 16, 2]
    assert products.rows.tolist() == [[8, 8], [0, 8], [8, 8], [2, 2]] and products.sizes.tolist() == [2, 2]
    run(world, tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == (world.folder / "products.safetensors").read_bytes()


def test_losses_that_do_not_see_verdicts_have_themselves_as_placebo(products):
    whole = products.folds(products.modules).sum(axis=(1, 3))
    blind = [products.labels.index(name) for name in ("sft", "dft")]
    expected = whole[np.ix_(blind, blind)]
    np.testing.assert_allclose(products.placebo[np.ix_(blind, blind)], expected, rtol=1e-5)
    assert not np.allclose(products.placebo[1, 1], whole[1, 1], rtol=1e-3), "other rollouts count as right"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"folds": 16}, "prompts are too few for 16 folds"),
        ({"max_length": 8}, "all rows are longer than training.max_length 8"),
        ({"names": ("sft", "online_grpo")}, "audited through its token_loss, pair_loss or row_loss"),
    ],
)
def test_what_cannot_be_audited_is_said_in_one_sentence(world, tmp_path, change, said):
    with pytest.raises(InputError, match=said):
        run(world, tmp_path / "bad.safetensors", **change)


def test_rollouts_that_leave_a_loss_nothing_are_refused(world, tmp_path):
    with pytest.raises(InputError, match=r"The audit of rft has nothing to train on; no rollout is correct"):
        run(world, tmp_path / "bad.safetensors", frame=world.frame.assign(reward=0.0))
    with pytest.raises(InputError, match="The audit of dpo has nothing to train on; no prompt has both"):
        run(world, tmp_path / "bad.safetensors", names=("sft", "dpo"), frame=world.frame.assign(reward=1.0))


def test_a_loss_that_is_not_finite_is_refused(world, tmp_path, monkeypatch):
    from lossgeometry.methods import sft

    monkeypatch.setattr(sft, "token_loss", lambda tokens, options: (tokens.log_probs - tokens.log_probs).log())
    with pytest.raises(InputError, match="The audit of sft: the loss is not finite at this point"):
        run(world, tmp_path / "bad.safetensors", names=("sft",))


def test_labels_are_kept(products):
    assert products.labels == list(NAMES) and json.dumps(products.labels)


def test_a_base_in_bfloat16_gives_the_same_cosines_to_its_precision(world, products, tmp_path):
    """The path of GPUs: factors and sums stay float32."""
    coarse = run(world, tmp_path / "coarse.safetensors", precision="bfloat16")
    for pair in (("sft", "rft"), ("sft", "dft"), ("rft", "dpo")):
        assert abs(cosine(coarse, *pair) - cosine(products, *pair)) < 0.03


@pytest.mark.filterwarnings("ignore:invalid value")  # one fold has no variance to precondition with
def test_fewer_prompts_are_whole_prompts(world, products, tmp_path):
    few = run(world, tmp_path / "few.safetensors", names=("sft", "offline_grpo"), prompts=2, folds=1)
    assert few.sizes.tolist() == [2] and few.units.tolist() == [8, 8], "advantages are those of whole groups"
