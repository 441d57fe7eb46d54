"""Replicates: kinds are kept apart, the correction finds what was planted, and its intervals hold in simulation."""

import numpy as np
import pytest

from lossgeometry.geometry.replicates import (
    APART,
    CANNOT_TELL,
    INSIDE_CHANCE,
    ONE_DIRECTION,
    components,
    kind_of,
    leave_one_out,
    replicate_rows,
)
from lossgeometry.geometry.sweeps import RunLabel

BLOCKS, WIDTH = 8, 200
CONDITIONS = {
    "first": (1, 1, ""),
    "order": (1, 2, ""),
    "init": (2, 1, ""),
    "both": (2, 2, ""),
    "A": (1, 1, "A"),
    "B": (1, 1, "B"),
}


def label(method, condition, default=True):
    init, order, half = CONDITIONS[condition]
    return RunLabel(f"{method}.{condition}", method, 0.1, init, f"{init}", default, order, half)


def planted(rng, cosine, noise, methods=("a", "b"), conditions=("A", "B"), shared=0.0):
    """Return sums by block, and labels, of updates: a loss's direction, noise of its own, and noise that a condition shares."""
    labels = [label(method, condition) for method in methods for condition in conditions]
    parts = {}
    for block in range(BLOCKS):
        first, other = rng.normal(size=(2, WIDTH))
        loss = {"a": first, "b": cosine * first + np.sqrt(1 - cosine**2) * other}
        common = {condition: shared * rng.normal(size=WIDTH) for condition in conditions}
        rows = [
            loss[run.method] + noise * rng.normal(size=WIDTH) + common[run.run.rpartition(".")[2]] for run in labels
        ]
        gram = np.array(rows) @ np.array(rows).T
        norms = np.sqrt(np.outer(np.diag(gram), np.diag(gram)))
        parts[block] = np.stack([gram, norms, norms**2 / WIDTH, 0 * gram, norms, norms])
    return parts, labels


def pair(rows):
    return next(row for row in rows if (row.method_a, row.method_b) == ("a", "b"))


def test_the_correction_is_the_ratio_of_crossed_to_within_and_leaves_shared_noise_out():
    parts, labels = planted(np.random.default_rng(0), 0.4, 0.8, shared=1.0)
    gram = sum(parts.values())[0]
    c = gram / np.sqrt(np.outer(np.diag(gram), np.diag(gram)))
    rows = replicate_rows(parts, labels)
    row = pair(rows)
    a_1, a_2, b_1, b_2 = range(4)
    assert (row.kind, row.conditions) == ("half", 1)
    assert (row.within_a, row.within_b) == pytest.approx((c[a_1, a_2], c[b_1, b_2]))
    assert row.crossed == pytest.approx((c[a_1, b_2] + c[a_2, b_1]) / 2)
    assert row.uncrossed == pytest.approx((c[a_1, b_1] + c[a_2, b_2]) / 2)
    assert row.corrected == pytest.approx(row.crossed / np.sqrt(row.within_a * row.within_b))
    assert abs(row.corrected - 0.4) < 0.1 < row.uncrossed - row.crossed
    alone = next(row for row in rows if row.method_a == row.method_b == "a")
    assert alone.within_a == row.within_a and np.isnan(alone.corrected) and alone.verdict == ""


@pytest.mark.parametrize("cosine", [0.0, 0.5, 1.0])
def test_intervals_hold_the_truth_nineteen_times_in_twenty(cosine):
    rng = np.random.default_rng(1)
    rows = [pair(replicate_rows(*planted(rng, cosine, 1.0))) for _ in range(200)]
    covered = np.mean([row.low <= cosine <= row.high for row in rows])
    assert 0.90 <= covered <= 0.99
    assert abs(np.mean([row.corrected for row in rows]) - cosine) < 0.02
    z = [row.crossed / row.crossed_sd for row in rows]
    if cosine == 0:
        assert 0.75 < np.std(z) < 1.25, "unrelated losses are told from chance as often as chance says"
    verdicts = {row.verdict for row in rows}
    assert verdicts <= {ONE_DIRECTION, CANNOT_TELL} | ({APART} if cosine < 1 or covered < 1 else set())
    if cosine < 0.9:
        assert verdicts == {APART}


def test_kinds_are_never_mixed():
    kinds = {(a, b): kind_of(label("a", a), label("a", b)) for a in CONDITIONS for b in CONDITIONS if a < b}
    assert kinds["first", "order"] == kinds["both", "init"] == "order"
    assert kinds["A", "B"] == "half" and kinds["both", "first"] == "both"
    assert kinds["init", "order"] == "both" and kinds["both", "order"] == "initialisation"
    assert {kinds[half, other] for half in "AB" for other in ("both", "first", "init", "order")} == {""}
    parts, labels = planted(np.random.default_rng(2), 0.5, 0.5, conditions=("first", "order", "both"))
    rows = replicate_rows(parts, labels)
    assert {row.kind: row.conditions for row in rows} == {"order": 1, "initialisation": 1, "both": 1}


def test_a_replicate_inside_chance_leaves_nothing_to_correct_by():
    row = pair(replicate_rows(*planted(np.random.default_rng(3), 0.5, 30.0)))
    assert np.isnan(row.corrected) and row.verdict == CANNOT_TELL
    assert row.note in {INSIDE_CHANCE.format(method=method) for method in "ab"}


def test_components_are_what_one_factor_alone_adds():
    parts, labels = planted(np.random.default_rng(4), 0.5, 1.0, conditions=("first", "order", "A", "B"))
    found = {row.factor: row for row in components(parts, labels)}
    assert set(found) == {"order", "data", "loss"}
    # Half of the squared norm is noise of the run's own.
    assert found["order"].share == pytest.approx(0.5, abs=0.05) and found["order"].pairs == 2
    assert found["loss"].share == pytest.approx(1 - 0.5 * 0.5, abs=0.05) and found["loss"].pairs == 2
    assert found["order"].low < found["order"].share < found["order"].high and "half of the data" in found["data"].note


def test_one_block_leaves_no_error():
    assert all(np.isnan(leave_one_out({0: np.ones(1)}, lambda kept: 1.0)))
    assert leave_one_out({0: np.ones(1), 1: np.ones(1)}, lambda kept: 1.0)[0] == 0
