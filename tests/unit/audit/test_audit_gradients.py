"""The audit's gradients: by hand in float64, for every offline method, at the initialisation and away from it."""

import numpy as np
import pytest
import torch
from peft import PeftModel
from training_tools import build_world, disturb
from transformers import AutoModelForCausalLM

from lossgeometry.audit.changes import change_gram, preconditioned, turned_products
from lossgeometry.audit.coefficients import coefficients
from lossgeometry.audit.gradients import GroupSums, add_gradients, row_log_probs
from lossgeometry.forward.sequences import TokenSequence
from lossgeometry.generation.templating import completion_token_ids, prompt_token_ids
from lossgeometry.methods import method_module
from lossgeometry.training.pairing import preference_pairs

pytestmark = pytest.mark.slow

OFFLINE = ["sft", "rft", "dft", "rift", "offline_grpo", "dpo", "ipo", "simpo", "kto"]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return build_world(tmp_path_factory.mktemp("audit"))


def sequences_of(world):
    problems = {row["id"]: row["problem"] for row in world.job().prompts.values()}
    return [
        TokenSequence(
            f"{row.prompt_id}/{row.sample}",
            tuple(prompt_token_ids(world.tokenizer, problems[row.prompt_id], "")),
            tuple(completion_token_ids(world.tokenizer, row.completion, row.finish_reason != "length")),
        )
        for row in world.frame.itertuples()
    ]


@pytest.fixture(scope="module", params=["initialisation", "later"])
def point(request, world):
    """Return a model in float64, its rows, and their log-probabilities under it and under the base."""
    base = AutoModelForCausalLM.from_pretrained(world.student, dtype=torch.float64)
    model = PeftModel.from_pretrained(base, world.initialisation, is_trainable=True, autocast_adapter_dtype=False)
    model = model.double().eval()
    for module in model.modules():
        if type(module).__name__.endswith("RMSNorm"):  # the model's own works in float32, whatever it is given
            module.forward = lambda x, norm=module: norm.weight * x * torch.rsqrt((x * x).mean(-1, True) + 1e-6)
    if request.param == "later":
        disturb(model)
    rows = sequences_of(world)
    log_probs = dict(zip(world.frame.index, row_log_probs(model, rows, 256), strict=True))
    with model.disable_adapter():
        reference = dict(zip(world.frame.index, row_log_probs(model, rows, 256), strict=True))
    return model, rows, log_probs, reference


def direct(model, rows, world, name, options, reference):
    """Return the gradient of a method's summed loss by all factors, from one graph over all rows, one row at a time."""
    method = method_module(name)
    totals = {}
    for index, row in zip(world.frame.index, rows, strict=True):
        logits = model(torch.tensor([row.tokens])).logits[0, len(row.prompt) - 1 : -1]
        totals[index] = torch.log_softmax(logits, -1).gather(1, torch.tensor(row.completion)[:, None])[:, 0]
    if hasattr(method, "token_loss"):
        from lossgeometry.training.token_loss import Tokens

        selected = method.select(world.frame, options, world.job())
        parts = [
            method.token_loss(
                Tokens(
                    totals[index][None],
                    torch.ones_like(totals[index])[None],
                    torch.tensor([[selected.weight[index]]], dtype=torch.float64),
                    reference[index][None],
                ),
                options,
            ).sum()
            for index in selected.index
        ]
    else:
        parts = [one for one in _row_parts(method, options, world, totals, reference)]
    parameters = {name: value for name, value in model.named_parameters() if "lora_" in name}
    gradients = torch.autograd.grad(sum(parts), list(parameters.values()), allow_unused=True)
    return dict(zip(parameters, gradients, strict=True))


def _row_parts(method, options, world, totals, reference):
    """Yield the losses of DPO, IPO, SimPO and KTO written out from their papers."""
    beta, frame = options.beta, world.frame
    if method.TITLE == "KTO":
        for index in frame.index:
            ratio = totals[index].sum() - reference[index].sum()
            yield 1 - torch.sigmoid(beta * ratio if frame.reward[index] > 0 else -beta * ratio)
        return
    for right, wrong in preference_pairs(frame, options.pairs):
        ratios = [totals[index].sum() - reference[index].sum() for index in (right, wrong)]
        lengths = [len(totals[index]) for index in (right, wrong)]
        if method.TITLE == "DPO":
            yield -torch.nn.functional.logsigmoid(beta * (ratios[0] - ratios[1]))
        elif method.TITLE == "IPO":
            yield (ratios[0] / lengths[0] - ratios[1] / lengths[1] - 1 / (2 * beta)) ** 2
        else:
            margin = beta * (totals[right].mean() - totals[wrong].mean()) - options.gamma
            yield -torch.nn.functional.logsigmoid(margin)


def test_group_sums_are_the_gradients_of_the_losses(world, point):
    """All methods at once, each in groups of its own by row; sums over the groups are the methods' gradients."""
    model, rows, log_probs, reference = point
    asked = [[] for _ in rows]
    for number, name in enumerate(OFFLINE):
        options = method_module(name).Options()
        found = coefficients(method_module(name), options, world.job(), world.frame, log_probs, reference).of_rows
        for place, index in enumerate(world.frame.index):
            if index in found:
                asked[place].append((2 * number + place % 2, found[index]))
    sums = GroupSums(model, 2 * len(OFFLINE))
    add_gradients(model, sums, rows, asked, tokens_per_batch=200)
    for number, name in enumerate(OFFLINE):
        expected = direct(model, rows, world, name, method_module(name).Options(), reference)
        for key, gradient in expected.items():
            module, _, side = key.removeprefix("base_model.model.").rpartition(".lora_")
            total = sums.b if side.startswith("B") else sums.a
            if not total:  # at the initialisation A has no gradient
                assert gradient is None or not gradient.any()
                continue
            got = total[module][2 * number : 2 * number + 2].sum(dim=0)
            assert torch.allclose(got, gradient, rtol=1e-8, atol=1e-8 * float(gradient.abs().max())), (name, key)


def test_changes_of_the_update_are_those_of_dense_matrices():
    draw = np.random.default_rng(0)
    b, a = draw.normal(size=(7, 3)), draw.normal(size=(3, 5))
    db, da = draw.normal(size=(4, 7, 3)), draw.normal(size=(4, 3, 5))
    for factors in ((b, a, db, da), (0 * b, a, db, None)):
        dense = [2.0 * (db[g] @ a + (factors[0] @ da[g] if factors[3] is not None else 0)) for g in range(4)]
        expected = [[np.sum(one * other) for other in dense] for one in dense]
        np.testing.assert_allclose(change_gram(*factors, 2.0), expected, rtol=1e-12, atol=1e-12)
        turned = [[np.sum((one @ other.T) ** 2) for other in dense] for one in dense]
        np.testing.assert_allclose(turned_products(*factors, 2.0), turned, rtol=1e-12, atol=1e-12)


def test_preconditioning_divides_by_the_second_moment_of_batches():
    draw = np.random.default_rng(1)
    prompts = draw.normal([3.0, 0.0, 0.0], [1.0, 2.0, 0.0], size=(64000, 3))
    folds = prompts.reshape(64, 1000, 3).sum(axis=1)
    found = preconditioned(folds, np.full(64, 1000.0), batch=4)
    mean = prompts.mean(axis=0)
    expected = mean[:2] / np.sqrt(mean[:2] ** 2 + np.array([1.0, 4.0]) / 4)
    np.testing.assert_allclose(found[:2], expected, rtol=0.1, atol=0.02)
    assert found[2] == 0
