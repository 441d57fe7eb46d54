"""One direction at one norm: which runs are which, and that they are tested where they share one of the two alone."""

import numpy as np
import pytest
from graded_answers import write_answers

from lossgeometry.edits.crossed import CELL, DIRECTIONS, NORMS, Cell, cells, crossed


def entry(parent, norm_of=""):
    return {"operation": "", "parent": parent, "control": "", "norm_of": norm_of}


EDITS = {
    "edit.b_at_a": entry("b", "a"),
    "edit.a_at_b": entry("a", "b"),
    "edit.part": entry("a"),
    "edit.part_at_a": entry("edit.part", "a"),
}


def test_a_run_that_gave_both_is_a_cell_itself():
    """The part gives a direction and no norm, so that at its own norm it is beside nothing."""
    assert cells(EDITS) == {
        "a": Cell("a", "a"),
        "b": Cell("b", "b"),
        "edit.b_at_a": Cell("b", "a"),
        "edit.a_at_b": Cell("a", "b"),
        "edit.part_at_a": Cell("edit.part", "a"),
    }


def test_two_cells_are_tested_where_they_share_one_of_both(tmp_path):
    draw = np.random.default_rng(0)
    solved = {run: draw.random(60) < 0.5 for run in ("base", *cells(EDITS))}
    for run, correct in solved.items():
        write_answers(tmp_path, run, correct)
    table = crossed(EDITS, ["easy"], tmp_path, 0.02)
    places = cells(EDITS)
    own = table[table.question == CELL]
    assert list(own.run_b) == list(places) and set(own.run_a) == {"base"}
    for row in own.itertuples():
        assert Cell(row.direction, row.norm_of) == places[row.run_b]
        assert row.difference == pytest.approx(solved[row.run_b].mean() - solved["base"].mean())
    at_one_norm = table[table.question == DIRECTIONS]
    assert [len(at_one_norm[at_one_norm.norm_of == norm]) for norm in "ab"] == [3, 1]
    assert set(at_one_norm.direction) == {""} and set(at_one_norm.family) == {4}
    of_one_direction = table[table.question == NORMS]
    assert sorted(of_one_direction.direction) == ["a", "b"] and set(of_one_direction.norm_of) == {""}
    for row in table[table.question != CELL].itertuples():
        a, b = places[row.run_a], places[row.run_b]
        assert (a.norm_of == b.norm_of) != (a.direction == b.direction)
        assert row.difference == pytest.approx(solved[row.run_b].mean() - solved[row.run_a].mean())
