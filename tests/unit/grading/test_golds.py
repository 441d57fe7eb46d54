"""Gold answers of public data sets: their formats and their known defects."""

import pytest

from lossgeometry.errors import InputError
from lossgeometry.grading.golds import NO_ANSWER, NO_PROBLEM, UNPARSABLE, parse_row, usable_problems


def answer_of(schema, **row):
    return parse_row(schema, row, 0)[0]["answer"]


@pytest.mark.parametrize(
    ("solution", "gold"),
    [
        ("She sold 48/2 = <<48/2=24>>24 clips.\n#### 72", "72"),
        ("a\n#### 1,234", "1234"),
        ("a\n#### 1,234,567", "1234567"),
        ("a\n#### -5", "-5"),
        ("a\n#### $18", "18"),
        ("a\n####  10 ", "10"),
        ("cost is #### 3 at first\n#### 7", "7"),
        ("no mark", ""),
        ("a\n#### ", ""),
    ],
)
def test_gsm8k(solution, gold):
    assert answer_of("gsm8k", question="How many?", answer=solution) == gold


@pytest.mark.parametrize(
    ("answer", "gold"),
    [("070", "70"), ("000", "0"), ("7", "7"), (42, "42"), (42.0, "42"), (" 005 ", "5"), ("5 m", "5 m")],
)
def test_aime_integers_lose_leading_zeros(answer, gold):
    assert answer_of("aime", problem_idx=1, problem="Find it.", answer=answer) == gold


def test_math500_keeps_latex_and_its_own_id():
    row = {
        "problem": "p",
        "solution": "s",
        "answer": r"\left( 3, \frac{\pi}{2} \right)",
        "unique_id": "test/a/807.json",
    }
    problem, reason = parse_row("math500", row, 3)
    assert (
        problem == {"id": "test/a/807.json", "problem": "p", "answer": r"\left( 3, \frac{\pi}{2} \right)"}
        and not reason
    )


@pytest.mark.parametrize("empty", ["", "  ", None, float("nan")])
def test_empty_cells_are_reasons(empty):
    assert parse_row("deepscaler", {"problem": "p", "answer": empty, "solution": ""}, 0)[1] == NO_ANSWER
    assert parse_row("plain", {"problem": empty, "answer": "5"}, 0)[1] == NO_PROBLEM


def test_unusable_rows_are_dropped_and_counted_and_ids_stay():
    rows = [
        {"problem": "a", "answer": "-\\frac{2}{3}"},
        {"problem": "b", "answer": ""},
        {"problem": "c", "answer": "\\frac{1}{"},
        {"problem": "", "answer": "4"},
        {"problem": "e", "answer": "(" * 900 + "1" + ")" * 900},
        {"problem": "f", "answer": "6"},
    ]
    problems, dropped = usable_problems("deepscaler", rows, workers=2, deadline_seconds=0.5)
    assert [(row["id"], row["problem"]) for row in problems] == [("00000", "a"), ("00005", "f")]
    assert dropped == {NO_ANSWER: 1, NO_PROBLEM: 1, UNPARSABLE: 2}


def test_a_wrong_schema_names_column_and_cure():
    with pytest.raises(InputError, match="Row 0 lacks the column question of the schema gsm8k .*answer, problem"):
        usable_problems("gsm8k", [{"problem": "p", "answer": "5"}], 1, 1.0)


def test_two_rows_with_one_id_are_refused():
    rows = [{"problem": "p", "answer": "5", "unique_id": "x"}] * 2
    with pytest.raises(InputError, match="The id x belongs to several rows"):
        usable_problems("math500", rows, 1, 1.0)
