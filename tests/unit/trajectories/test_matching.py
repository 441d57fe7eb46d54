"""Two runs where they are alike: exact on straight lines between snapshots, and "never reached" where one stays short."""

import numpy as np
import pandas as pd
import pytest
from geometry_tools import delta_of, name, random_factors

from lossgeometry.geometry.chance import ABOVE, INSIDE
from lossgeometry.geometry.grams import cross_grams, run_grams
from lossgeometry.trajectories.matching import KL, NORM, STEP, ZERO, Path, levels, matched
from lossgeometry.trajectories.tabulation import tabulate

MODULES = {name(0, "q"): (12, 3, 10), name(1, "v"): (8, 3, 12)}


@pytest.fixture
def runs(tmp_path):
    """Two runs of three snapshots each, as updates by step; the second starts small and turns."""
    made = {}
    for number, (run, sizes) in enumerate({"a": (0.2, 0.6, 1.0), "b": (0.3, 0.1, 2.0)}.items()):
        draw = np.random.default_rng(number)
        made[run] = {}
        for place, size in enumerate(sizes):
            factors = {module: random_factors(draw, *shape) for module, shape in MODULES.items()}
            update = delta_of(tmp_path / f"{run}{place}", factors)
            made[run][2 ** (place + 1)] = (size / update.norm) * update
    return made


def paths_of(runs, kl=None):
    sets = {run: list(steps.values()) for run, steps in runs.items()}
    grams = cross_grams(sets, [("a", "a"), ("b", "b"), ("a", "b")])
    nothing = [np.nan] * 3
    paths = [
        Path(run, np.array(list(runs[run]), float), grams[run, run].weights, np.array((kl or {}).get(run, nothing)))
        for run in runs
    ]
    return paths, grams["a", "b"]


def test_products_of_two_sets_are_those_of_all_runs_together(runs):
    both = [*runs["a"].values(), *runs["b"].values()]
    whole, part = run_grams(both, list("abcdef")), paths_of(runs)[1]
    for name_ in whole._fields:
        np.testing.assert_allclose(getattr(part, name_), getattr(whole, name_)[:3, 3:], rtol=1e-9, atol=1e-12)


def test_at_equal_norm_the_cosine_is_that_of_stacked_factors(runs):
    (a, b), both = paths_of(runs)
    found = matched(a, b, both.weights, both.weights_sd, {NORM: [0.15, 0.5, 1.5, 3.0], KL: []})
    at = {round(row.level, 9): row for row in found if row.at == NORM}
    for level in (0.15, 0.5, 1.0):
        row = at[level]
        assert (row.norm_a, row.norm_b) == pytest.approx((level, level))
        points = [between(runs["a"], row.step_a), between(runs["b"], row.step_b)]
        assert row.cosine == pytest.approx(points[0].cosine(points[1]), abs=1e-9)
        exact = run_grams(points, ["a", "b"])
        sd = exact.weights_sd[0, 1] / points[0].norm / points[1].norm
        assert sd <= row.cosine_sd * (1 + 1e-9) and row.cosine_sd < 2 * sd
    assert at[1.0].end and not at[0.5].end
    assert at[0.15].step_b == pytest.approx(1.0), "the first crossing, on the way from the base"
    assert "never reached by a, which gets to 1" in at[1.5].note and np.isnan(at[1.5].cosine)
    assert 3.0 not in at, "nobody gets there"
    assert [(row.level, row.end) for row in found if row.at == STEP] == [(2, False), (4, False), (8, True)]


def between(steps, step):
    known = [0, *steps]
    low = max(place for place in known if place <= step)
    if low == known[-1]:
        return steps[low]
    high = known[known.index(low) + 1]
    share = (step - low) / (high - low)
    return share * steps[high] + ((1 - share) * steps[low] if low else 0.0 * steps[high])


def test_equal_kl_is_read_only_where_it_is_measured_on_the_way_of_both(runs):
    (a, b), both = paths_of(runs, {"a": [np.nan, 0.2, 0.4], "b": [0.1, 0.2, 0.3]})
    rows = [row for row in matched(a, b, both.weights, both.weights_sd, levels([a, b])) if row.at == KL]
    ends = [row for row in rows if row.end]
    assert [row.level for row in ends] == [0.3] and ends[0].step_b == 8 and ends[0].step_a == pytest.approx(6)
    early = next(row for row in rows if row.level == pytest.approx(0.128))
    # Of a the second snapshot is the first that is measured: 0.64 of the way from the base, over two segments.
    assert early.step_a == pytest.approx(2 + 0.28 * 2) and early.step_b == pytest.approx(2 + 0.28 * 2)
    (a, b), both = paths_of(runs, {"a": [np.nan, np.nan, 0.4], "b": [0.1, 0.2, 0.3]})
    assert not any(row.at == KL for row in matched(a, b, both.weights, both.weights_sd, levels([a, b])))


def test_the_tables_hold_every_step_and_judge_every_match(runs):
    pairs = [{"run_a": "a", "run_b": "b", "replicate": ""}]
    names = {run: {step: f"{run}.t{step}" for step in steps} for run, steps in runs.items()}
    made = tabulate(runs, pairs, None, names)
    assert made.trajectories.run.tolist() == ["a"] * 3 + ["b"] * 3 and len(made.step_pairs) == 9
    row = made.step_pairs[(made.step_pairs.step_a == 4) & (made.step_pairs.step_b == 8)].iloc[0]
    assert row.cosine == pytest.approx(runs["a"][4].cosine(runs["b"][8]), abs=1e-9)
    assert 0 < row.gram_alignment < 1 and row.gram_alignment_sd > 0
    assert set(made.matched.verdict) <= {INSIDE, ABOVE, "below chance", ""}
    twin = tabulate({"a": runs["a"], "b": runs["a"]}, pairs, None, names | {"b": names["a"]})
    assert (twin.matched[twin.matched["at"] == STEP].cosine.round(9) == 1).all()
    assert isinstance(made.matched, pd.DataFrame) and tabulate(runs, [], None, names).matched.empty


def test_a_run_that_never_moved_has_no_direction_and_stops_nobody(runs):
    """On-policy training whose every answer fails takes steps of zero: an outcome, not a bad input."""
    still = {step: 0.0 * update for step, update in runs["b"].items()}
    pairs = [{"run_a": "a", "run_b": "b", "replicate": ""}]
    names = {run: {step: f"{run}.t{step}" for step in steps} for run, steps in runs.items()}
    made = tabulate({"a": runs["a"], "b": still}, pairs, None, names)
    assert made.step_pairs.cosine.isna().all() and made.matched.cosine.isna().all()
    assert set(made.matched.verdict) == {""}
    notes = made.matched[["at", "level", "note"]].itertuples(index=False)
    assert {(at, note) for at, level, note in notes if at == STEP or level == 0} == {(STEP, ZERO), (NORM, ZERO)}
    assert (
        made.matched[made.matched.level > 0]
        .pipe(lambda rows: rows[rows["at"] == NORM])
        .note.str.startswith("never")
        .all()
    )
    assert (made.trajectories.set_index("run").loc["b", "norm"] == 0).all()
