"""The graders that a set of problems can name, besides math-verify."""

import random

import pytest

from lossgeometry.errors import ConfigError, InputError
from lossgeometry.experiment.loading import load_config
from lossgeometry.grading.grader import Answer, Grader, check_golds, grade
from lossgeometry.grading.graders import DEFAULT, grader_module, grader_names
from lossgeometry.problems.datasets import distinct_problems


def verdict_of(grader, gold, box):
    (verdict,) = grade([Answer(gold, rf"so \boxed{{{box}}}", "stop")], 1, 5.0, grader)
    return verdict.verdict


@pytest.mark.parametrize("name", grader_names())
def test_a_grader_describes_itself_and_finds_an_answer_equal_to_itself(name):
    assert grader_module(name).TITLE
    assert verdict_of(name, "C", "C") == "correct"
    assert verdict_of(name, "C", "D") == "wrong"
    assert verdict_of(name, "C", "") == "no_answer"


@pytest.mark.parametrize(
    ("gold", "box", "verdict"),
    [
        ("Paris", "paris", "correct"),
        ("Paris", r"\text{ Paris. }", "correct"),
        ("Paris", r"$\mathbf{Paris}$", "correct"),
        ("New York", "New\n  York", "correct"),
        ("café", "cafe\u0301", "correct"),
        ("Paris", "Pari", "wrong"),
        ("Paris", "Paris or London", "wrong"),
        ("0.5", "1/2", "wrong"),
        ("1000", "1,000", "wrong"),
        ("x+y", "y+x", "wrong"),
        (r"\{a\}", "a", "wrong"),
        ("a.b", "a.b", "correct"),
    ],
)
def test_exact(gold, box, verdict):
    assert verdict_of("exact", gold, box) == verdict


@pytest.mark.parametrize(
    ("gold", "box", "verdict"),
    [
        ("C", "(C)", "correct"),
        ("C", "c", "correct"),
        ("C", "C.", "correct"),
        ("C", r"\text{(C) Plane}", "correct"),
        ("C", r"\textbf{(C)}\ \frac{1}{2}", "correct"),
        ("C", "Option C", "correct"),
        ("(c)", "C", "correct"),
        (r"\text{(C) Plane}", "C", "correct"),
        ("J", "(J)", "correct"),
        ("C", "D", "wrong"),
        ("C", "(D) Plane", "wrong"),
        ("C", "C, D", "wrong"),
        ("C", "(C) or (D)", "wrong"),
        ("C", "(A), (B), (C), (D)", "wrong"),
        ("C", "Plane", "wrong"),
        ("C", "3", "wrong"),
        ("A", "A car", "wrong"),
        ("Plane", "Plane", "unparsable_gold"),
        ("3", "C", "unparsable_gold"),
    ],
)
def test_choice(gold, box, verdict):
    assert verdict_of("choice", gold, box) == verdict


@pytest.mark.parametrize("name", ["exact", "choice"])
def test_graders_of_text_start_no_process(name):
    with Grader(2, 5.0, name) as grader:
        assert [verdict.correct for verdict in grader.grade([Answer("A", r"\boxed{A}", "stop")] * 3)] == [True] * 3
        assert grader.pool.workers == []


@pytest.mark.parametrize("name", grader_names())
def test_no_text_makes_reading_fail_or_take_long(name):
    """The suite's time limit is the assertion: quadratic reading of 2,000 characters is fast, worse is not."""
    module, draw = grader_module(name), random.Random(5)
    fragments = [
        r"\text{",
        "{",
        "}",
        "(A)",
        "A. ",
        "5",
        "10:30",
        "_8",
        r"\pm",
        "e-",
        ",",
        " ",
        "\ud800",
        r"\frac",
        "\\",
        "<x",
    ]
    texts = ["".join(draw.choices(fragments, k=draw.randrange(1, 30))) for _ in range(1000)]
    texts += [fragment * (2000 // len(fragment)) for fragment in fragments]
    for text in texts:
        box = module.normalise(text)
        assert module.decide(module.normalise("A"), box) in ("correct", "wrong", None)


def test_golds_are_checked_with_the_grader_that_will_grade_them():
    golds = ["A", "Plane", r"\frac{1}{"]
    assert list(check_golds(golds, 1, 5.0, "choice")) == [True, False, False]
    assert list(check_golds(golds, 1, 5.0, "exact")) == [True, True, False]
    rows = [{"problem": gold, "answer": gold} for gold in golds]
    kept = distinct_problems("plain", rows, 1, 5.0, "problems.jsonl", "choice")
    assert [row["answer"] for row in kept] == ["A"]


def test_an_unknown_grader_is_one_sentence_that_lists_what_exists():
    known = "choose one of choice, exact, math_verify"
    with pytest.raises(InputError, match=f"there is no grader nonsense; {known}"):
        Grader(1, 5.0, "nonsense")
    benchmark = {"source": "generated", "count": 8, "grader": "nonsense"}
    values = {"experiment": "e", "adapters": {"a": "x/y"}, "evaluation": {"benchmarks": {"easy": benchmark}}}
    with pytest.raises(ConfigError, match=f"^evaluation.benchmarks.easy.grader: there is no grader nonsense; {known}"):
        load_config(values)
    values["evaluation"]["benchmarks"]["easy"]["grader"] = "exact"
    assert load_config(values).evaluation.benchmarks["easy"].grader == "exact"
    assert DEFAULT in grader_names()
