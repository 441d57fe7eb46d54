"""From files to files: a base, two adapters and their problems give the curves of a pair."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from small_models import save_adapter, small_model

from lossgeometry.connectivity.accuracy import base_engine, path_accuracies
from lossgeometry.connectivity.endpoints import ALONG_PATH, read_losses, write_losses
from lossgeometry.connectivity.measurement import Base, measure_endpoint
from lossgeometry.connectivity.pair import interpolate
from lossgeometry.connectivity.paths import CURVE_COLUMNS
from lossgeometry.errors import InputError
from lossgeometry.files.jsonl import write_atomic
from lossgeometry.forward.sequences import boxed_answers, reference_solutions
from lossgeometry.representations.collection import collect
from lossgeometry.representations.comparison import open_states
from lossgeometry.settings.tasks import EndPointLosses, HiddenStates, PathAccuracy, PathLosses
from lossgeometry.students.tokenizer import train_tokenizer
from lossgeometry.updates.peft import Adapter

TEXTS = ["Ann has 14 books. She buys 3 more.", "First 14 + 3 = 17. The answer is \\boxed{17}."]
BATCHES = {"precision": "float32", "tokens_per_batch": 256, "prompt_suffix": "Box it."}
LOSSES = {"losses": ["reference_solution", "boxed_answer"], "sequences": 3, **BATCHES}
ENDS = EndPointLosses(**LOSSES, shrink_points=[0.5])
PATH = PathLosses(**LOSSES, points=[-0.5, 0.0, 0.4, 1.0])


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pair")
    tokenizer = train_tokenizer(TEXTS * 10, 300)
    tokenizer.save_pretrained(folder / "student")
    small_model(vocabulary=len(tokenizer)).save_pretrained(folder / "student")
    problems = [{"id": f"p{n}", "problem": f"Ann has {n} books.", "answer": str(n)} for n in range(5)]
    write_atomic(folder / "problems.jsonl", problems)
    solved = [row | {"completion": f"The answer is \\boxed{{{row['answer']}}}."} for row in problems]
    write_atomic(folder / "heldout.jsonl", [solved[0], solved[0] | {"completion": "again"}, *solved[1:]])
    model = small_model(vocabulary=len(tokenizer))
    for seed, name in enumerate(("a", "b")):
        save_adapter(folder / name, seed, rank=seed + 2, model=small_model(vocabulary=len(tokenizer)))
    return folder, tokenizer, model


def sources(folder):
    return {"reference_solution": folder / "heldout.jsonl", "boxed_answer": folder / "problems.jsonl"}


def test_one_solution_per_problem_and_only_its_own_tokens_count(files):
    folder, tokenizer, _ = files
    solutions = list(reference_solutions(folder / "heldout.jsonl", tokenizer, "Box it."))
    assert [item.id for item in solutions] == [f"p{n}" for n in range(5)]
    assert tokenizer.decode(solutions[1].prompt) == "<|user|>Ann has 1 books.\nBox it.\n<|assistant|>"
    assert tokenizer.decode(solutions[1].completion) == "The answer is \\boxed{1}.<|end|>"
    bare = list(boxed_answers(folder / "problems.jsonl", tokenizer, "Box it."))
    assert tokenizer.decode(bare[4].completion) == "\\boxed{4}"
    assert bare[4].prompt == solutions[4].prompt


def test_a_pair_from_its_shared_ends(files, tmp_path):
    folder, _, _ = files
    adapters = tuple(Adapter(folder / name) for name in "ab")
    ends = {}
    for name, adapter in (("a", adapters[0]), ("b", adapters[1])):
        ends[name] = tmp_path / f"{name}.csv"
        write_losses(ends[name], measure_endpoint(folder / "student", adapter, sources(folder), ENDS))
    curve, by_sequence = tmp_path / "curve.csv", tmp_path / "losses.csv"
    base = Base(folder / "student", sources(folder), PATH)
    interpolate(base, adapters, ends, PATH.points, curve, by_sequence)
    curves = pd.read_csv(curve)
    assert tuple(curves.columns) == CURVE_COLUMNS
    assert curves["t"].tolist() == list(PATH.points) * 2
    t = np.array(PATH.points)
    points = np.stack([1 - t, t], axis=1)
    for loss, (_, losses) in base.measure(adapters, points).items():
        assert curves[curves["loss"] == loss]["value"].to_numpy() == pytest.approx(losses.mean(axis=1), abs=1e-6)
        inner = read_losses(by_sequence, ALONG_PATH)[loss]
        assert inner.points.tolist() == [-0.5, 0.4]  # the ends have files of their own
        assert inner.losses == pytest.approx(losses[[0, 2]], abs=1e-6)

    # A model that other pairs were measured on before gives the same bytes as one that was just loaded.
    first = curve.read_bytes(), by_sequence.read_bytes()
    for model in (base, Base(folder / "student", sources(folder), PATH)):
        interpolate(model, adapters, ends, PATH.points, curve, by_sequence)
        assert (curve.read_bytes(), by_sequence.read_bytes()) == first


def test_one_problem_is_too_few(files, tmp_path):
    folder, _, _ = files
    write_atomic(tmp_path / "one.jsonl", [{"id": "p", "problem": "x", "answer": "1"}])
    with pytest.raises(InputError, match="standard errors need two"):
        measure_endpoint(folder / "student", None, {"boxed_answer": tmp_path / "one.jsonl"}, ENDS)


def test_accuracy_is_that_of_the_merged_model(files, monkeypatch):
    """Greedy completions at t are those of a model with dense weights W0 + dW(t)."""
    folder, _, _ = files
    adapters = [Adapter(folder / name) for name in "ab"]
    seen = []

    def grade(_grader, answers):
        seen.append([answer.completion for answer in answers])
        return [type("Verdict", (), {"correct": len(seen) == 1})() for _ in answers]

    monkeypatch.setattr("lossgeometry.grading.grader.Grader.grade", grade)
    task = PathAccuracy(
        points=[0.4, 0.0], problems=2, prompt_suffix="", batch_size=2, max_new_tokens=6, deadline_seconds=5.0
    )
    rows = path_accuracies(base_engine(folder / "student", task), *adapters, folder / "problems.jsonl", task)
    assert [row[:3] for row in rows] == [("accuracy", 0.4, 1.0), ("accuracy", 0.0, 0.0)]
    assert seen[1] == _greedy(files, [(1.0, adapters[0])])
    assert seen[0] == _greedy(files, [(0.6, adapters[0]), (0.4, adapters[1])])
    assert seen[0] != seen[1]


def _greedy(files, updates):
    folder, tokenizer, _ = files
    model = small_model(vocabulary=len(tokenizer))
    with torch.no_grad():
        for weight, adapter in updates:
            for name in adapter.modules:
                part = adapter.factors(name)
                delta = weight * part.scale * part.b @ part.a
                model.get_submodule(name).weight += torch.from_numpy(delta).float()
    texts = []
    for row in map(json.loads, (folder / "problems.jsonl").read_text().splitlines()[:2]):
        tokens = tokenizer(f"<|user|>{row['problem']}\n<|assistant|>", return_tensors="pt")["input_ids"]
        made = model.generate(tokens, max_new_tokens=6, do_sample=False, pad_token_id=0, eos_token_id=1)
        texts.append(tokenizer.decode(made[0, tokens.shape[1] :], skip_special_tokens=True))
    return texts


def test_states_of_the_base_and_of_an_update(files, tmp_path):
    folder, tokenizer, _ = files
    task = HiddenStates(**BATCHES, tokens=40, sequence_tokens=20, prompts=4, prompt_pooling="last")
    student, solutions, problems = (folder / name for name in ("student", "heldout.jsonl", "problems.jsonl"))
    collect(student, None, solutions, problems, task, tmp_path / "base")
    collect(student, Adapter(folder / "a"), solutions, problems, task, tmp_path / "a")
    base, moved = open_states(tmp_path / "base"), open_states(tmp_path / "a")
    assert base.tokens == moved.tokens
    assert base.tensors["prompts.0"].shape == (4, 32)
    expected = next(reference_solutions(solutions, tokenizer, "Box it."))
    assert len(expected.tokens) > 20 and set(base.lengths) == {19}
    assert not np.array_equal(base.tensors["solutions.1"][:], moved.tensors["solutions.1"][:])
