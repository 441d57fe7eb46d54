"""Reasons are one line each: what changed, not all that there is."""

import pytest

from lossgeometry.planning.reasons import shorten, why


def reason(before: object, now: object) -> str:
    """Return Snakemake's words."""
    said = [", ".join(map(repr, values)) or "<nothing exclusive>" for values in (before, now)]
    return (
        "Params have changed since last execution: Union of exclusive params before and now across all output: "
        f"before: {said[0]} now: {said[1]} "
    )


@pytest.mark.parametrize(
    ("before", "now", "short"),
    [
        ([{"run": "a", "options": {"beta": 0.1}}], [{"run": "a", "options": {"beta": 0.2}}], "options.beta 0.1 -> 0.2"),
        (
            [{"lossgeometry/geometry/angles.py": "a1"}],
            [{"lossgeometry/geometry/angles.py": "b2"}],
            "geometry/angles.py",
        ),
        ([{"a.py": "1", "numpy": "2.3"}], [{"a.py": "1", "numpy": "2.4"}], "numpy 2.3 -> 2.4"),
        ([{"seed": 1}], [{"seed": 1, "new": True}], "new none -> True"),
        ([{"x.py": "1"}, {"steps": 4}], [{"steps": 8}, {"x.py": "2"}], "steps 4 -> 8; x.py"),
        ([[1, 2]], [[1, 3]], "parameter [1, 2] -> [1, 3]"),
        (
            [{"a": 1, "b": 1, "c": 1, "d": 1, "e": 1}],
            [{"a": 2, "b": 2, "c": 2, "d": 2, "e": 2}],
            "a 1 -> 2; b 1 -> 2; c 1 -> 2; 2 more",
        ),
        ([{"text": "a" * 90}], [{"text": "b" * 90}], f"text {'a' * 37}... -> {'b' * 37}..."),
        ([{"x": float("nan")}], [{"x": 1.0}], "parameters"),
        ([], [{"x": 1.0}], "x none -> 1.0"),
    ],
)
def test_changed_parameters_are_named_with_what_they_were_and_are(before, now, short):
    assert shorten(reason(before, now)) == short
    assert (
        shorten(f"Missing output files: a; {reason(before, now)}; Code has changed")
        == f"Missing output files: a; {short}; Code has changed"
    )


def test_reasons_without_parameters_are_left_alone():
    assert shorten("Missing output files: a, b") == "Missing output files: a, b"


def test_a_rule_is_told_by_what_changed_before_what_it_follows_from():
    maker = {"weights": "train_adapter"}
    follows = "Input files updated by another job: weights"
    assert why([follows, follows], maker) == "after train_adapter"
    assert why(["steps 4 -> 8", follows], maker) == "steps 4 -> 8"
    assert why(["Missing output files: x; Input files updated by another job: weights"], maker) == "new"
    assert why(["Updated input files: a, b"], maker) == "a changed"
    assert why([f"x{number} 1 -> 2" for number in range(5)], maker) == "x0 1 -> 2; x1 1 -> 2; x2 1 -> 2; 2 more"
