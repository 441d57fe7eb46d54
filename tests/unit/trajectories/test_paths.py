"""The way of one run: every number from dense updates, and a null that random increments meet."""

import numpy as np
import pytest

from lossgeometry.trajectories.path import path_steps


def path_of(increments):
    points = np.cumsum(increments, axis=0)
    return path_steps([str(step) for step in range(len(points))], points @ points.T), points


def test_every_number_is_that_of_dense_updates():
    increments = np.random.default_rng(0).normal(size=(5, 40)) + 0.3
    steps, points = path_of(increments)
    lengths = np.linalg.norm(increments, axis=1)
    for t, row in enumerate(steps):
        until = points[: t + 1]
        singular = np.linalg.svd(until, compute_uv=False) ** 2
        shares = singular / singular.sum()
        norm = np.linalg.norm(points[t])
        assert row.norm == pytest.approx(norm) and row.moved == pytest.approx(lengths[t])
        assert row.efficiency == pytest.approx(norm / lengths[: t + 1].sum())
        assert row.first_direction == pytest.approx(shares[0])
        assert row.effective_rank == pytest.approx(np.exp(-np.sum(shares * np.log(shares))))
        assert row.cosine_last == pytest.approx(points[t] @ points[-1] / norm / np.linalg.norm(points[-1]))
    assert steps[1].turn == pytest.approx(increments[0] @ increments[1] / lengths[0] / lengths[1])


def test_orthogonal_increments_are_their_own_null_and_random_ones_meet_it():
    lengths = np.array([1.0, 0.5, 2.0, 1.5, 0.7])
    steps, _ = path_of(np.diag(lengths))
    pairs = ("cosine_last", "efficiency", "first_direction", "effective_rank")
    for row in steps:
        for name in pairs:
            assert getattr(row, name) == pytest.approx(getattr(row, f"{name}_chance"), abs=1e-9)
    draw = np.random.default_rng(1)
    found = {name: [] for name in pairs}
    for _ in range(400):
        random = draw.normal(size=(5, 400))
        last = path_of(random / np.linalg.norm(random, axis=1)[:, None] * lengths[:, None])[0]
        for name in pairs:
            row = last[1 if name == "cosine_last" else -1]
            found[name].append(getattr(row, name) - getattr(row, f"{name}_chance"))
    for name, gaps in found.items():
        # What is left of chance in 400 dimensions: spread of 1 / sqrt(400) a pair, and a bias of its square.
        assert abs(np.mean(gaps)) < 0.02 and np.std(gaps) < 0.12, name


def test_a_straight_run_lies_on_one_line_and_a_zero_one_has_no_direction():
    steps, _ = path_of(np.outer([1.0, 2.0, 3.0], np.ones(9)))
    assert steps[-1].efficiency == pytest.approx(1) and steps[-1].effective_rank == pytest.approx(1, abs=1e-6)
    assert np.isnan(path_of(np.zeros((2, 3)))[0][-1].first_direction)
