"""Verdicts against a table judged by hand: what a teacher would say, not what a library returns."""

import random
from pathlib import Path

import pytest

from lossgeometry.files import jsonl
from lossgeometry.grading.answers import extract_box
from lossgeometry.grading.grader import Answer, check_golds, grade
from lossgeometry.grading.graders.math_verify import decide
from lossgeometry.grading.notation import tidy

pytestmark = pytest.mark.slow

TABLE = list(jsonl.read_lines(Path(__file__).parent / "answers.jsonl"))
MOST_KNOWN = 5


@pytest.fixture(scope="module")
def verdicts():
    items = [Answer(row["gold"], row["completion"], row["finish_reason"]) for row in TABLE]
    return list(grade(items, workers=2, deadline_seconds=5.0))


def test_the_table_is_large_and_its_rows_are_distinct():
    assert len({(row["gold"], row["completion"], row["finish_reason"]) for row in TABLE}) == len(TABLE) >= 900


def test_every_verdict_is_the_true_one(verdicts):
    wrong = [
        (row["gold"], row["completion"], row["verdict"], verdict.verdict)
        for row, verdict in zip(TABLE, verdicts, strict=True)
        if "known" not in row and verdict.verdict != row["verdict"]
    ]
    assert wrong == []


def test_known_disagreements_are_few_and_as_recorded(verdicts):
    """`known` holds the verdict given where it is not the true one; a row that got right must lose the mark."""
    marked = [(row, verdict) for row, verdict in zip(TABLE, verdicts, strict=True) if "known" in row]
    assert len(marked) <= MOST_KNOWN
    assert all(verdict.verdict == row["known"] != row["verdict"] for row, verdict in marked)


def test_no_wrong_answer_is_accepted(verdicts):
    assert sum(row["verdict"] == "wrong" for row in TABLE) > 500
    assert [
        row for row, verdict in zip(TABLE, verdicts, strict=True) if verdict.correct and row["verdict"] == "wrong"
    ] == []


UNIVERSAL = (
    *(r"\text{all real numbers}", r"\mathbb{R}", r"(-\infty,\infty)", r"\text{true}", r"\text{any number}", r"\{\}"),
    *(r"\text{A, B, C, D, E}", "0,1,2,3,4,5,6,7,8,9,10", r"\text{undefined}", "x", "x=x", "0=0", "n", "?"),
)
"""Answers that could stand for any: a model that learns to write one must gain nothing."""


def test_no_universal_answer_is_accepted_but_for_a_gold_that_is_one():
    golds = list(dict.fromkeys(row["gold"] for row in TABLE if row["verdict"] == "correct"))[::6]
    asked = [(gold, box) for gold in golds for box in UNIVERSAL]
    items = [Answer(gold, rf"So \boxed{{{box}}}.", "stop") for gold, box in asked]
    graded = zip(asked, grade(items, workers=1, deadline_seconds=5.0), strict=True)
    assert [pair for pair, verdict in graded if verdict.correct and pair[0].casefold() != pair[1].casefold()] == []


def test_correct_is_the_verdict_correct(verdicts):
    assert all(verdict.correct == (verdict.verdict == "correct") for verdict in verdicts)


def test_tidying_twice_changes_nothing_more():
    for row in TABLE:
        for text in (row["gold"], extract_box(row["completion"]) or ""):
            assert tidy(tidy(text)) == tidy(text)


def test_no_text_makes_extraction_fail():
    """Any string at all has a box or none: neither hangs nor raises. Fragments meet as people do not write."""
    fragments = [
        r"\boxed{",
        r"\boxed",
        "{",
        "}",
        r"\{",
        "\\",
        r"\text{",
        "5",
        "and",
        ",",
        "$",
        "\ud800",
        "\u202e",
        "½",
        "\n",
        "%",
    ]
    draw = random.Random(3)
    for _ in range(3000):
        text = "".join(draw.choices(fragments, k=draw.randrange(1, 25)))
        box = extract_box(text)
        assert box is None or len(tidy(box)) <= 60 * len(text)


def test_golds_are_checked_against_themselves():
    golds = [
        "7",
        r"\frac{1}{2}",
        r"\text{Monday}",
        "1,2",
        "",
        "  ",
        r"\frac{1}{",
        "(" * 900 + "1" + ")" * 900,
        "x" * 5000,
    ]
    checked = list(check_golds(golds, workers=2, deadline_seconds=0.5))
    assert checked == [True, True, True, True, False, False, False, False, False]


@pytest.mark.parametrize(
    ("gold", "box", "verdict"),
    [("7", "7", "correct"), ("7", "8", "wrong"), ("-12", "12", "wrong"), ("0.5", "0.5", "correct")]
    + [("3/4", "3/4", "correct")]
    + [("7", "07", None), ("0", "-0", None), ("0.5", "0.50", None), ("3/0", "3/0", None), ("x", "x", None)],
)
def test_only_plain_numbers_are_decided_without_algebra(gold, box, verdict):
    assert decide(gold, box) == verdict


def test_math_verify_agrees_that_equal_strings_are_equal():
    from lossgeometry.grading.algebra import equal, judge

    golds = {tidy(row["gold"]) for row in TABLE if row["verdict"] != "unparsable_gold" and "%" not in row["gold"]}
    gradable = {gold for gold in golds if judge(gold, gold) == "correct"}
    assert len(gradable) > 150
    assert {gold for gold in gradable if not equal(gold, gold)} == set()


def test_what_is_decided_without_algebra_is_what_math_verify_says():
    from lossgeometry.grading.algebra import judge

    numbers = [
        "0",
        "7",
        "-7",
        "12",
        "100",
        "99999999999999999999",
        "0.5",
        "7.0",
        "-2.25",
        "3/4",
        "-6/8",
        r"\frac{3}{4}",
    ]
    decided = {(a, b): decide(a, b) for a in numbers for b in numbers}
    assert sum(verdict is not None for verdict in decided.values()) > 36
    for (gold, box), verdict in decided.items():
        if verdict is not None:
            assert judge(gold, box) == verdict
