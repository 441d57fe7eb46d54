"""What the models wrote, side by side: problems that runs change in both directions, whole, bounded, and as they are."""

import json

import pytest

from lossgeometry.explorer import answers
from lossgeometry.explorer.answers import compared_answers
from lossgeometry.explorer.columns import packed


def write(folder, run, rights, text="x"):
    path = folder / run / "hard.jsonl"
    path.parent.mkdir(parents=True)
    rows = [
        {"problem_id": f"p{place}", "completion": f"{sample}{text}", "verdict": "correct" if right else "wrong"}
        | {"n_tokens": 3, "extracted": None}
        for place, right in enumerate(rights)
        for sample in (0, 1)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def files(tmp_path):
    base = write(tmp_path, "base", [0, 1, 0, 1, 1, 0])
    return [base, write(tmp_path, "sft", [1, 1, 0, 0, 1, 0]), write(tmp_path, "control", [0] * 6)]


def test_problems_that_a_run_changes_come_first_and_every_run_answers_them(files):
    problems = {"hard": {"p0": {"problem": "?", "answer": "1"}}}
    questions, told = compared_answers(files, ["sft"], problems)
    assert [row["problem_id"] for row in questions[:2]] == ["p0", "p3"] and questions[0]["problem"] == "?"
    assert {(row["run"], row["right"]) for row in told if row["problem_id"] == "p0"} == {("base", False), ("sft", True)}
    assert {row["run"] for row in told} == {"base", "sft"}
    assert all(row["completion"].startswith("0") for row in told), "the first answer to a problem counts"


def test_they_are_bounded_by_problems_and_by_characters(files, monkeypatch):
    assert len(compared_answers(files, ["sft"], {})[0]) == 2 + answers.UNCHANGED
    monkeypatch.setattr(answers, "CHARACTERS", 5)
    questions, told = compared_answers(files, ["sft"], {})
    assert sum(len(row["completion"]) for row in told) <= 5 and len(questions) == 1


def test_packing_keeps_every_value():
    columns = {
        "run": ["a", "b", None, "a", "a", "a", "b", "b"],
        "value": [1, 2, 3, 4, 5, 6, 7, None],
        "text": ["x", "y"],
    }
    told = packed(columns)
    assert [told["run"]["of"][place] for place in told["run"]["at"]] == columns["run"]
    assert told["value"] == columns["value"] and told["text"] == columns["text"]
