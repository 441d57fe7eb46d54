"""accuracy.csv and mcnemar.csv from graded answers whose outcome is known."""

import numpy as np
import pandas as pd
import pytest

from lossgeometry.errors import InputError
from lossgeometry.evaluation import statistics
from lossgeometry.evaluation.accuracy import ACCURACY_COLUMNS, MCNEMAR_COLUMNS, tabulate_accuracy
from lossgeometry.files import jsonl

RUNS = ["base", "sft.lr0.001.s42", "dpo.lr0.0001.s42"]
PROBLEMS = 200


def graded(problem, sample, decoding, right, finish="stop", verdict=None, tokens=10):
    verdict = verdict or ("correct" if right else "wrong")
    row = {"problem_id": f"p{problem:03d}", "sample": sample, "seed": 1, "decoding": decoding, "completion": "\ud800"}
    row |= {"finish_reason": finish, "n_tokens": tokens, "extracted": None, "correct": right, "verdict": verdict}
    return row


def write(folder, run, rows):
    (folder / run).mkdir(parents=True, exist_ok=True)
    jsonl.write_atomic(folder / run / "reachable.jsonl", rows)


def tabulate(folder, runs=RUNS, pairs=((RUNS[1], RUNS[2]),)):
    cfg = {"runs": runs, "benchmarks": ["reachable"], "pairs": [list(pair) for pair in pairs], "bootstrap": 200}
    tabulate_accuracy(cfg, folder, folder / "accuracy.csv", folder / "mcnemar.csv")
    return pd.read_csv(folder / "accuracy.csv"), pd.read_csv(folder / "mcnemar.csv")


@pytest.fixture
def evaluation(tmp_path):
    """Greedy: base solves 0-99, SFT 0-119, DPO 10-99. Sampled: base is right in samples 1 and 2 of 4, SFT in 1 to 3."""
    solved = {RUNS[0]: range(100), RUNS[1]: range(120), RUNS[2]: range(10, 100)}
    last = {RUNS[0]: 2, RUNS[1]: 3, RUNS[2]: 2}
    for run in RUNS:
        rows = [graded(p, 0, "greedy", p in solved[run], tokens=20) for p in range(PROBLEMS)]
        rows += [graded(p, s, "sampled", s <= last[run] + (p % 2)) for p in range(PROBLEMS) for s in range(1, 5)]
        write(tmp_path, run, reversed(rows))  # the order of lines carries no meaning
    return tmp_path


def test_greedy_rows(evaluation):
    accuracy, _ = tabulate(evaluation)
    assert list(accuracy.columns) == ACCURACY_COLUMNS
    greedy = accuracy[accuracy.decoding == "greedy"].set_index("run")
    assert list(greedy.index) == RUNS
    assert list(greedy.accuracy) == [0.5, 0.6, 0.45]
    low, high = statistics.wilson(120, 200)
    assert greedy.loc[RUNS[1], ["low", "high"]].tolist() == pytest.approx([low, high], rel=1e-9)
    assert list(greedy.difference_to_base.round(10))[1:] == [0.1, -0.05] and np.isnan(greedy.difference_to_base.iloc[0])
    assert greedy.difference_low[RUNS[1]] > 0 > greedy.difference_high[RUNS[2]]
    assert list(greedy.samples) == [1, 1, 1] and greedy.pass_at_k.isna().all() and set(greedy.interval) == {"wilson"}
    discordance = (20 + 10) / 2 / PROBLEMS
    expected = statistics.minimum_detectable_accuracy_difference(PROBLEMS, discordance)
    assert greedy.minimum_detectable_difference.tolist() == pytest.approx([expected] * 3, rel=1e-9)
    assert set(greedy.tokens_mean) == {20.0}


def test_sampled_rows(evaluation):
    sampled = tabulate(evaluation)[0].query("decoding == 'sampled'").set_index("run")
    assert list(sampled.accuracy) == [0.625, 0.875, 0.625]
    shares = np.array([[1, 1, 0, 0], [1, 1, 1, 0]] * (PROBLEMS // 2))
    assert sampled.standard_error.iloc[0] == pytest.approx(statistics.average_at_k(shares)[1], rel=1e-9)
    assert set(sampled.interval) == {"clustered"} and list(sampled.pass_at_k) == [1.0, 1.0, 1.0]
    # Every problem improves by the same quarter: the paired interval has no width although the accuracies' have.
    assert sampled.difference_low[RUNS[1]] == sampled.difference_high[RUNS[1]] == 0.25


def test_mcnemar_rows(evaluation):
    _, mcnemar = tabulate(evaluation)
    assert list(mcnemar.columns) == MCNEMAR_COLUMNS
    assert mcnemar[["run_a", "run_b"]].values.tolist() == [["base", RUNS[1]], ["base", RUNS[2]], [RUNS[1], RUNS[2]]]
    assert mcnemar[["b", "c"]].values.tolist() == [[0, 20], [10, 0], [30, 0]]
    p = [statistics.mcnemar(b, c) for b, c in ((0, 20), (10, 0), (30, 0))]
    np.testing.assert_allclose(mcnemar.p, p, rtol=1e-9)
    np.testing.assert_allclose(mcnemar.p_holm, statistics.holm(p), rtol=1e-9)


def test_truncation_is_flagged_above_one_percent_and_said_aloud(tmp_path, capsys):
    for run, cut in (("base", 2), (RUNS[1], 3)):
        rows = [graded(p, 0, "greedy", True, "length" if p < cut else "stop") for p in range(PROBLEMS)]
        rows[9] |= {"correct": False, "verdict": "no_answer"}
        rows[10] |= {"correct": False, "verdict": "timeout"}
        write(tmp_path, run, rows)
    accuracy, _ = tabulate(tmp_path, RUNS[:2], [])
    assert list(accuracy.truncation_rate) == [0.01, 0.015] and list(accuracy.truncation_flag) == [False, True]
    assert set(accuracy.no_answer_rate) == set(accuracy.timeout_rate) == {1 / PROBLEMS}
    assert "reads too low" in accuracy.note.iloc[1] and pd.isna(accuracy.note.iloc[0])
    said = capsys.readouterr().out
    assert said.count("WARNING") == 1 and "1.5 % of the completions were cut" in said and "max_new_tokens" in said


def test_a_base_alone_gives_rows_without_comparisons(evaluation):
    accuracy, mcnemar = tabulate(evaluation, ["base"], [])
    assert len(accuracy) == 2 and len(mcnemar) == 0 and list(mcnemar.columns) == MCNEMAR_COLUMNS
    assert accuracy[["difference_to_base", "minimum_detectable_difference"]].isna().all(axis=None)


def test_sampled_decoding_alone_has_no_mcnemar_tests(evaluation):
    for run in RUNS:
        write(evaluation, run, [graded(p, s, "sampled", s == 1) for p in range(9) for s in (1, 2)])
    accuracy, mcnemar = tabulate(evaluation)
    assert set(accuracy.decoding) == {"sampled"} and mcnemar.empty


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows + rows[:1], "holds sample 0 of problem p000 twice"),
        (lambda rows: rows[:-1], "lacks sampled samples of some problems"),
        (lambda rows: [row for row in rows if row["problem_id"] != "p007"], "answered different problems"),
    ],
)
def test_incomplete_or_mixed_up_answers_are_one_clear_error(evaluation, change, message):
    path = evaluation / RUNS[1] / "reachable.jsonl"
    rows = sorted(jsonl.read_lines(path), key=lambda row: (row["sample"], row["problem_id"]))
    jsonl.write_atomic(path, change(rows))
    with pytest.raises(InputError, match=message):
        tabulate(evaluation)


def test_tables_are_the_same_bytes_each_time(evaluation):
    tabulate(evaluation)
    first = (evaluation / "accuracy.csv").read_bytes(), (evaluation / "mcnemar.csv").read_bytes()
    tabulate(evaluation)
    assert first == ((evaluation / "accuracy.csv").read_bytes(), (evaluation / "mcnemar.csv").read_bytes())
