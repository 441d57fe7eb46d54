"""Scaling to a divergence: the factor is found for any rising distance, what is not reached is a sentence, and the adapter that
is written has the divergence that was asked for."""

import json

import numpy as np
import pytest
from model_folders import save_model
from small_models import save_adapter

from lossgeometry.behaviour.measurement import measure_run
from lossgeometry.behaviour.scaling import LARGEST_FACTOR, TOLERANCE, factor_for, factor_to_kl
from lossgeometry.edits.derivation import derive
from lossgeometry.errors import InputError
from lossgeometry.settings.edits import Edit
from lossgeometry.settings.tasks import Divergences
from lossgeometry.updates.loading import load
from lossgeometry.updates.peft import Adapter

DISTANCES = {
    "square": lambda factor: 0.002 * factor**2,
    "slower later": lambda factor: 0.3 * factor**2 / (1 + factor),
    "faster later": lambda factor: 1e-3 * factor**2 + 1e-3 * factor**5,
    "a cliff": lambda factor: 1e-4 * factor**2 + 2.0 / (1 + np.exp(-30 * (factor - 1.7))),
}


@pytest.mark.parametrize("name", DISTANCES)
@pytest.mark.parametrize("target", [1e-6, 3e-3, 1.0])
def test_the_factor_is_found(name, target):
    tried = []

    def moved(factor):
        tried.append(factor)
        return DISTANCES[name](factor)

    assert moved(factor_for(moved, target)) == pytest.approx(target, rel=TOLERANCE)
    assert len(tried) <= (6 if name == "square" else 40)


def test_what_is_not_reached_is_one_sentence():
    with pytest.raises(InputError, match=f"{LARGEST_FACTOR:g} times the update has a divergence of .*; lower to_kl"):
        factor_for(lambda factor: 1 - np.exp(-(factor**2)), 2.0)
    with pytest.raises(InputError, match="moves nothing"):
        factor_for(lambda factor: 0.0, 2.0)
    with pytest.raises(InputError, match="no multiple of the update was found"):
        factor_for(lambda factor: 1e-3 if factor < 0.7 else 1.0, 0.1)
    with pytest.raises(ValueError, match="greater than 0"):
        Edit(of="sft", to_kl=0)


def test_the_adapter_has_the_divergence_that_was_asked_for(tmp_path):
    student = save_model(tmp_path / "student")
    rng = np.random.default_rng(0)
    problems = [{"id": f"p{n}", "problem": f"Mia has {n} cards."} for n in range(4)]
    answers = [
        {"problem_id": row["id"], "decoding": "greedy", "completion": "It is " + "4 cards " * (1 + n)}
        | {"finish_reason": "stop", "correct": bool(rng.integers(2))}
        for n, row in enumerate(problems)
    ]
    for name, rows in (("prompts", problems), ("answers", answers)):
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    told = {"prompt_suffix": "", "decoding": "greedy", "problems": 4, "precision": "float32", "tokens_per_batch": 256}
    task = Divergences.from_told(told)
    source = save_adapter(tmp_path / "sft", 1)
    factor = factor_to_kl(student, Adapter(source), tmp_path / "answers", tmp_path / "prompts", task, 0.01)
    edit = Edit(of="sft", to_kl=0.01)
    weights = {"sft": source / "adapter_model.safetensors"}
    derive(edit, weights, {"sft": "sft.lr0.001.s42"}, tmp_path / "edit", factor)
    record = json.loads((tmp_path / "edit/edit.json").read_text())
    assert record["operation"] == "to_kl 0.01" and record["factor"] == factor
    one, other = load(tmp_path / "edit"), load(source)
    assert one.norm == pytest.approx(factor * other.norm, rel=1e-6) and one.cosine(other) == pytest.approx(1, abs=1e-6)
    measured = measure_run(
        student, Adapter(tmp_path / "edit"), {"base": tmp_path / "answers"}, tmp_path / "prompts", task
    )
    assert measured["kl_pq"].mean() == pytest.approx(0.01, rel=2 * TOLERANCE)
