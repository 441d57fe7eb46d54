"""The tables of behaviour: means over tokens with problems as clusters, and what has no value says why."""

import numpy as np
import pandas as pd
import pytest

from lossgeometry.behaviour.measurement import write_tokens
from lossgeometry.behaviour.tabulation import per_token, tabulate_pairs, tabulate_runs, top_share


def tokens(seed=0, problems=40, text="base", right=0.5):
    draw = np.random.default_rng(seed)
    frames = []
    for problem in range(problems):
        length = int(draw.integers(1, 30))
        values = draw.gamma(0.5 + problem % 3, size=(length, 2))
        logs = draw.normal(size=(length, 4))
        names = ("log_p", "log_q", "entropy_p", "entropy_q")
        frames.append(
            pd.DataFrame(
                {
                    "text": text,
                    "problem_id": f"p{problem}",
                    "correct": bool(draw.random() < right),
                    "position": np.arange(length),
                    "tokens": length,
                    "kl_pq": values[:, 0],
                    "kl_qp": values[:, 1],
                    **dict(zip(names, logs.T, strict=True)),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def test_intervals_of_means_over_tokens_cover_the_truth():
    """Problems are drawn from a population whose mean over tokens is known; tokens of one problem share its level."""
    draw = np.random.default_rng(1)
    lengths, levels = np.array([2, 5, 40]), np.array([1.0, 3.0, 2.0])
    truth = (lengths * levels).sum() / lengths.sum()
    inside = 0
    for _ in range(400):
        kinds = draw.integers(0, 3, size=60)
        values = np.concatenate([draw.normal(levels[kind] + draw.normal(), 1.0, lengths[kind]) for kind in kinds])
        problems = np.repeat(np.arange(60), lengths[kinds])
        _, _, low, high = per_token(pd.Series(values), pd.Series(problems))
        inside += low <= truth <= high
    assert 0.92 <= inside / 400 <= 0.98


def test_one_answer_has_no_interval_and_none_no_value(tmp_path):
    write_tokens(tmp_path / "run.parquet", tokens(right=0.0))
    rows = [row for row in tabulate_runs(["sft"], [tmp_path / "run.parquet"]) if row.part == "right answers"]
    assert {row.note for row in rows} == {"no such token"} and all(np.isnan(row.value) for row in rows)
    write_tokens(tmp_path / "run.parquet", tokens(problems=1, right=1.0))
    for row in tabulate_runs(["sft"], [tmp_path / "run.parquet"]):
        assert np.isnan(row.standard_error) and (np.isfinite(row.value) or row.note)


def test_parts_make_the_whole(tmp_path):
    write_tokens(tmp_path / "run.parquet", tokens())
    rows = {(row.part, row.measure): row for row in tabulate_runs(["sft"], [tmp_path / "run.parquet"])}
    whole = rows["all", "kl_base_run"]
    for parts in (["right answers", "wrong answers"], [f"tenth {number}" for number in range(1, 11)]):
        chosen = [rows[part, "kl_base_run"] for part in parts]
        assert sum(row.tokens for row in chosen) == whole.tokens
        assert sum(row.value * row.tokens for row in chosen if row.tokens) / whole.tokens == pytest.approx(whole.value)


def test_the_top_share_is_that_of_the_largest_twentieth(tmp_path):
    kl = np.arange(1.0, 101.0)
    assert top_share(np.random.default_rng(0).permutation(kl)) == pytest.approx(kl[-5:].sum() / kl.sum())
    assert np.isnan(top_share(np.zeros(100)))
    frame = tokens()
    frame["kl_pq"] = 0.0
    write_tokens(tmp_path / "run.parquet", frame)
    (row,) = [row for row in tabulate_runs(["sft"], [tmp_path / "run.parquet"]) if row.measure == "top_share"]
    assert np.isnan(row.value) and row.note == "nothing moved"


def test_jeffreys_is_the_sum_of_both_directions(tmp_path):
    frame = tokens()
    write_tokens(tmp_path / "pair.parquet", frame)
    (row,) = tabulate_pairs([("a", "b")], [tmp_path / "pair.parquet"])
    assert row.jeffreys == pytest.approx((frame["kl_pq"] + frame["kl_qp"]).mean()) and row.problems == 40
