"""Text of another skill: solutions as they were written, and passages of a file as plain text."""

import json

import pytest
from model_folders import save_model

from lossgeometry.behaviour.answers import passages, written_solutions
from lossgeometry.behaviour.measurement import measure_run
from lossgeometry.errors import InputError
from lossgeometry.forward.adapted_model import load_base
from lossgeometry.settings.tasks import Divergences

TASK = {"prompt_suffix": "", "decoding": "greedy", "problems": 3, "precision": "float32", "tokens_per_batch": 64}


@pytest.fixture(scope="module")
def student(tmp_path_factory):
    return save_model(tmp_path_factory.mktemp("model") / "student")


@pytest.fixture
def files(tmp_path):
    """Problems, one answer to each, and a text."""
    problems = [{"id": f"p{n}", "problem": f"Has {n} cards.", "solution": f"The answer is {n}."} for n in range(5)]
    answers = [
        {
            "problem_id": row["id"],
            "decoding": "greedy",
            "completion": "It is 3.",
            "finish_reason": "stop",
            "correct": True,
        }
        for row in problems
    ]
    for name, rows in (("prompts", problems), ("answers", answers)):
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (tmp_path / "text").write_text(
        "Mia has 3 apples.\n\n \nBen has 4 books, and Zoe 12.\nx\nNo more.\n", encoding="utf-8"
    )
    return tmp_path


def test_the_cross_entropy_is_that_of_the_model(student, files):
    """Minus the mean of what the behaviour's file calls log_p is the loss that transformers computes of the same tokens."""
    import torch

    task = Divergences.from_told(TASK)
    tokens = measure_run(student, None, {"base": files / "answers"}, files / "prompts", task, files / "prompts")
    assert list(dict.fromkeys(tokens["text"])) == ["base", "other"]
    other = tokens[tokens["text"] == "other"]
    assert other["problem_id"].nunique() == 3 and other["correct"].all()
    model, tokenizer = load_base(student, "float32")
    for answer in written_solutions(files / "prompts", 3, tokenizer, ""):
        sequence = answer.sequence
        labels = torch.tensor([[-100] * len(sequence.prompt) + list(sequence.completion)])
        with torch.no_grad():
            loss = model(input_ids=torch.tensor([sequence.tokens]), labels=labels).loss.item()
        assert -other[other["problem_id"] == sequence.id]["log_p"].mean() == pytest.approx(loss, abs=1e-5)
        text = tokenizer.decode(sequence.completion)
        assert text.startswith("The answer is ") and text.endswith(tokenizer.eos_token)


def test_passages_are_lines_of_plain_text_cut_at_a_number_of_tokens(student, files):
    _, tokenizer = load_base(student, "float32")
    found = passages(files / "text", 2, tokenizer, 6)
    whole = tokenizer("Ben has 4 books, and Zoe 12.")["input_ids"]
    assert [answer.sequence.id for answer in found] == ["000000", "000003"]
    assert [len(answer.sequence.tokens) for answer in found] == [6, 6] and len(found[1].sequence.prompt) == 1
    assert list(found[1].sequence.tokens) == whole[:6]
    task = Divergences.from_told({**TASK, "passage_tokens": 6})
    tokens = measure_run(student, None, {"base": files / "answers"}, files / "prompts", task, files / "text")
    third = len(tokenizer("x")["input_ids"]) < 2 and len(tokenizer("No more.")["input_ids"][:6])
    assert (tokens["text"] == "other").sum() == 5 + 5 + third - 1


@pytest.mark.parametrize(("text", "sentence"), [(b"one line alone\n", "holds 1 passage"), (b"\xff\xfe\n", "not UTF-8")])
def test_a_text_that_cannot_be_measured_is_refused_in_a_sentence(student, tmp_path, text, sentence):
    _, tokenizer = load_base(student, "float32")
    (tmp_path / "text").write_bytes(text)
    with pytest.raises(InputError, match=sentence):
        passages(tmp_path / "text", 5, tokenizer, 10)
