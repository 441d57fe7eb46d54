"""What several edits say together follows their tables: direction or size, what a part carries, random directions."""

import numpy as np
import pandas as pd
import pytest
from graded_answers import write_answers

from lossgeometry.edits.contrasts import direction_or_size, parts_of_updates, random_directions
from lossgeometry.edits.crossed import cells, crossed
from lossgeometry.edits.effects import effects
from lossgeometry.findings.finding import between, points
from lossgeometry.findings.names import Names

SFT, GRPO = "sft.lr0.001.s1", "offline_grpo.lr0.001.s1"
MADE = {
    "edit.sft_at_grpo": ("to_norm_of offline_grpo", SFT, GRPO),
    "edit.grpo_at_sft": ("to_norm_of sft", GRPO, SFT),
    "edit.along": ("project sft", GRPO, ""),
    "edit.rest": ("reject sft", GRPO, ""),
}
SOLVED = {"base": 0.3, SFT: 0.6, GRPO: 0.6, "edit.sft_at_grpo": 0.6, "edit.grpo_at_sft": 0.9}
SOLVED |= {"edit.along": 0.6, "edit.rest": 0.3, "edit.along.random": 0.3}


def tables(folder, solved):
    """Answers to 400 problems, of which each run solves the first so many, but for an eighth drawn anew."""
    draw = np.random.default_rng(0)
    edits = {
        run: {"operation": words, "parent": parent, "control": "", "norm_of": norm}
        for run, (words, parent, norm) in MADE.items()
    }
    edits["edit.along"]["control"] = "edit.along.random"
    for run, share in solved.items():
        correct = np.arange(400) < 400 * share
        again = draw.random(400) < 0.125
        write_answers(folder, run, np.where(again, draw.random(400) < share, correct))
    runs = [(SFT, "sft"), (GRPO, "offline_grpo"), *((run, run.replace("edit.", "edit: ")) for run in MADE)]
    rows = [(run, label, 0.001, "1", "trained" if label in TITLES else "derived", None) for run, label in runs]
    names = Names(
        pd.DataFrame(rows, columns=["run", "method", "learning_rate", "seed", "origin", "control"]), TITLES, "sft"
    )
    made = pd.DataFrame([(run, words, parent, 0.6) for run, (words, parent, _) in MADE.items()])
    made = made.set_axis(["run", "operation", "parent", "norm_share"], axis=1)
    asked = (edits, ["easy"], folder, 0.02)
    return effects(*asked), crossed(*asked), made, names, cells(edits)


TITLES = {"sft": "SFT", "offline_grpo": "Offline GRPO"}


@pytest.fixture
def found(tmp_path):
    return tables(tmp_path, SOLVED)


def test_the_largest_difference_at_one_norm_and_in_one_direction_are_named(found):
    _, table, _, names, places = found
    (one,) = direction_or_size({"direction_by_norm": table}, names)
    asked = table[table.question == "directions at one norm"]
    most = asked.loc[asked.difference.abs().idxmax()]
    assert (one.value, one.low, one.high) == (most.difference, most.low, most.high)
    assert places[most.run_b] == ("offline_grpo.lr0.001.s1", SFT)
    said = f"{points(most.difference)} points ({between(most.low, most.high, points)}; different)"
    assert f"by up to {said}: Offline GRPO less SFT at the norm of SFT. Of 2 pairs, 1 different" in one.statement
    assert "Offline GRPO at the norm of" in one.statement and one.verdict.startswith(
        "direction: matters; size: matters"
    )


def test_nothing_matters_where_all_are_equal(found):
    _, table, _, names, _ = found
    (one,) = direction_or_size({"direction_by_norm": table.assign(verdict="equal")}, names)
    assert one.verdict == "direction: does not matter; size: does not matter"
    (one,) = direction_or_size({"direction_by_norm": table.assign(verdict="cannot tell")}, names)
    assert one.verdict == "direction: cannot tell; size: cannot tell"


def test_a_part_that_has_the_effect_is_enough_and_one_without_which_it_is_lost_is_needed(found):
    table, _, made, names, _ = found
    parents = table[table.question == "edits against parent"].set_index("run_b")
    same = table.copy()
    same.loc[(same.run_b == "edit.along"), ["low", "high"]] = [-0.019, 0.5]
    (one,) = parts_of_updates(same, made, names)
    assert one.verdict == "enough: yes; needed: yes"
    assert one.value == parents.loc["edit.along", "kept_share"] == pytest.approx(1, abs=0.2)
    for part in (
        "Its part along SFT (0.60 of its norm) alone",
        "Less random directions of its singular values, that part",
    ):
        assert part in one.statement
    assert "_" not in one.statement
    less = table.assign(verdict="different")
    less.loc[less.question == "edits against parent", "difference"] = -0.2
    assert next(parts_of_updates(less, made, names)).verdict == "enough: no; needed: yes"


def test_less_than_the_margin_may_be_lost_of_an_effect_of_either_sign(found):
    table, _, made, names, _ = found
    along = (table.run_b == "edit.along") & (table.question == "edits against parent")
    for sign, (low, high), enough in (
        (1, (-0.019, 0.5), "yes"),
        (1, (-0.021, 0.5), "cannot tell"),
        (-1, (-0.5, 0.019), "yes"),
    ):
        turned = table.assign(difference=sign * table.difference, verdict="cannot tell")
        turned.loc[along, ["low", "high"]] = [low, high]
        assert next(parts_of_updates(turned, made, names)).verdict.startswith(f"enough: {enough};")


def test_what_cannot_be_told_says_why(found):
    table, _, made, names, _ = found
    untold = table.assign(verdict="cannot tell", reason="it is small")
    (one,) = parts_of_updates(untold, made, names)
    assert one.verdict == "enough: cannot tell; needed: cannot tell" and "Cannot tell (it is small)" in one.statement
    nothing = table.assign(kept_share=np.nan, note="the parent did nothing")
    assert "Cannot tell (the parent did nothing)" in next(parts_of_updates(nothing, made, names)).statement


def test_random_directions_are_counted_beside_the_base(found):
    table, *_ = found
    (one,) = random_directions(table)
    row = table[table.question == "random directions against base"].iloc[0]
    assert one.value == row.difference and f"1 {row.verdict}" in one.verdict and "of 1 edit change" in one.statement
