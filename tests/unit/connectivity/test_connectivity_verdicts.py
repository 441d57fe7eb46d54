"""One verdict on a barrier: beyond the chord, beyond the control, beyond the smallest effect, and paid for by Holm."""

import numpy as np
import pandas as pd
import pytest

from lossgeometry.connectivity.endpoints import ALONG_PATH, PointLosses, write_losses
from lossgeometry.connectivity.tabulation import BARRIER_COLUMNS, tabulate_barriers
from lossgeometry.connectivity.verdicts import Height, draws_for, height, verdicts
from lossgeometry.files.csv_rows import write_rows

INNER = np.linspace(0.1, 0.9, 9)
BUMP = 4 * INNER * (1 - INNER)
SMALLEST = 0.05
DRAWS = 2_000


def along(level, seed=0, sequences=100, spread=0.1):
    """Differences of sequences that are alike along the path, (points, sequences), around a level at each point."""
    draw = np.random.default_rng(seed)
    common = draw.normal(size=sequences)[None] * BUMP[:, None]
    return level[:, None] + spread * (common + 0.3 * draw.normal(size=(len(INNER), sequences)))


def judged(excess, control, smallest=SMALLEST):
    found = height(INNER, excess, control, smallest, DRAWS)
    return found, verdicts([found])[0][1]


def test_a_bump_beyond_chord_control_and_smallest_effect_is_a_barrier():
    found, verdict = judged(along(0.3 * BUMP), along(0.1 * BUMP, seed=1))
    assert verdict == "barrier"
    assert found.t == pytest.approx(0.5)
    assert found.difference == pytest.approx(found.excess - found.control)
    assert SMALLEST < found.difference_low < found.difference < found.difference_high
    assert found.difference_se > 0


def test_a_bump_that_the_control_explains_is_none():
    excess = along(0.3 * BUMP)
    assert judged(excess, excess + 0.01 * along(0 * BUMP, seed=1))[1] == "no barrier"


def test_a_path_below_its_chord_has_no_barrier_even_where_shrinking_alone_falls_further():
    found, verdict = judged(along(-0.2 * BUMP), along(-0.6 * BUMP, seed=1))
    assert verdict == "no barrier"
    assert found.difference == pytest.approx(found.excess) and found.difference < 0


def test_a_certain_bump_below_the_smallest_effect_does_not_count():
    found, verdict = judged(along(0.02 * BUMP, spread=0.001), along(0 * BUMP, spread=0.001, seed=1))
    assert found.difference_low > 0 and verdict == "no barrier"


def test_a_bump_within_its_error_cannot_be_told_and_says_how_it_could():
    found = height(INNER, along(0.06 * BUMP, sequences=12), along(0 * BUMP, sequences=12, seed=1), SMALLEST, DRAWS)
    (_, verdict, reason) = verdicts([found])[0]
    assert verdict == "cannot tell" and "connectivity.sequences" in reason


def test_differences_are_paired_by_sequence():
    """Excess and control differ between sequences a thousand times as much as the path is above the control."""
    shared = (1000 + 300 * np.random.default_rng(3).normal(size=100))[None] * BUMP[:, None]
    found, verdict = judged(along(0.3 * BUMP, spread=0.01) + shared, along(0 * BUMP, spread=0.01, seed=1) + shared)
    assert found.excess_se > 10 and found.difference_se < 0.01
    assert found.difference == pytest.approx(0.3, abs=0.01) and verdict == "barrier"


def test_two_equal_updates_have_no_barrier_and_nothing_is_divided_by_zero():
    found, verdict = judged(np.zeros((9, 20)), np.zeros((9, 20)))
    assert (found.difference_low, found.difference_high, found.p) == (0, 0, 1)
    assert verdict == "no barrier"


@pytest.mark.parametrize(
    ("points", "sequences", "spoil", "reason"),
    [
        (INNER[:0], 20, 0.0, "connectivity.points"),
        (INNER, 7, 0.0, "connectivity.sequences"),
        (INNER, 20, np.nan, "not finite"),
    ],
)
def test_what_cannot_be_tested_is_undefined_with_a_reason(points, sequences, spoil, reason):
    excess = along(BUMP, sequences=sequences)[: len(points)] + spoil
    found = height(points, excess, 0 * excess, SMALLEST, DRAWS)
    assert np.isnan([found.p, found.difference_low, found.difference_high]).all()
    p_holm, verdict, why = verdicts([found])[0]
    assert np.isnan(p_holm) and verdict == "cannot tell" and reason in why


def test_holm_is_over_the_pairs_that_could_be_tested():
    heights = [Height(p=p, difference_high=1.0, smallest_effect=0.05) for p in (0.02, 0.001, 0.03)]
    heights.append(Height(reason="why not", smallest_effect=0.05))
    found = verdicts(heights)
    assert [one[0] for one in found[:3]] == pytest.approx([0.04, 0.003, 0.04])
    assert [one[1] for one in found] == ["barrier", "barrier", "barrier", "cannot tell"]
    crowd = verdicts([Height(p=0.02, difference_high=1.0, smallest_effect=0.05)] * 3)
    assert crowd[0][1] == "cannot tell" and "Holm over 3 pairs" in crowd[0][2]
    assert 2 / draws_for(5000) * 5000 < 0.05  # the smallest p-value survives the correction


def test_intervals_hold_the_height_and_false_barriers_are_rare():
    """Height exactly at the smallest effect on a plateau, where choosing the largest t would flatter a naive test."""
    plateau = np.full(9, SMALLEST)
    held = false = 0
    for seed in range(100):
        draw = np.random.default_rng(seed)
        noise = 0.1 * (draw.exponential(size=(9, 40)) - 1)  # skewed, and unlike at every t
        found = height(INNER, plateau[:, None] + noise, np.zeros((9, 40)) - 1.0, SMALLEST, 1000)
        held += found.difference_low <= SMALLEST <= found.difference_high
        false += verdicts([found])[0][1] == "barrier"
    assert held >= 90
    assert false <= 6


def test_the_table_holds_the_verdict_of_every_pair_and_loss(tmp_path):
    """Orthogonal updates of length 1; the path of b - c rises beyond what their shortening explains, that of a - b not."""
    draw = np.random.default_rng(0)
    names = tuple(f"s{n}" for n in range(30))
    own = 0.1 * draw.normal(size=30)
    loss = lambda length: 1.5 - length**2 / 2  # noqa: E731
    multiples = np.array([0.25, 0.5, 0.75, 1.0])
    files = {run: tmp_path / f"{run}.csv" for run in ("base", "a", "b", "c")}
    write_losses(files["base"], {"l": PointLosses(names, np.zeros(1), loss(0.0) + own[None])})
    for run in "abc":
        write_losses(files[run], {"l": PointLosses(names, multiples, loss(multiples)[:, None] + own)})
    grid = np.linspace(0, 1, 11)
    norms = np.hypot(1 - grid, grid)
    pairs, curves, paths = [("a", "b"), ("b", "c")], [], []
    for (a, b), bump in zip(pairs, (0.0, 0.3), strict=True):
        curves.append(tmp_path / f"{a}{b}.curve")
        paths.append(tmp_path / f"{a}{b}.losses")
        write_rows(
            curves[-1], ("loss", "t", "norm"), [("l", float(t), float(n)) for t, n in zip(grid, norms, strict=True)]
        )
        noise = 0.01 * draw.normal(size=(9, 30))
        inner = loss(norms[1:-1])[:, None] + own + bump * BUMP[:, None] + noise
        write_losses(paths[-1], {"l": PointLosses(names, grid[1:-1], inner)}, ALONG_PATH)
    tabulate_barriers(pairs, curves, paths, files, 0.05, tmp_path / "barriers.csv")
    table = pd.read_csv(tmp_path / "barriers.csv")
    assert tuple(table.columns) == BARRIER_COLUMNS
    assert table.verdict.tolist() == ["no barrier", "barrier"]
    assert (table.excess > 0.08).all()  # both rise over their chord: only the control tells them apart
    assert table.control[1] == pytest.approx(0.25, abs=0.02)
    assert table.difference.to_numpy() == pytest.approx([0.0, 0.3], abs=0.02)
    assert table.smallest_effect.to_numpy() == pytest.approx(0.05 * (1 + own.mean()))
    first = (tmp_path / "barriers.csv").read_bytes()
    tabulate_barriers(pairs, curves, paths, files, 0.05, tmp_path / "barriers.csv")
    assert (tmp_path / "barriers.csv").read_bytes() == first
