"""The tables of accuracies from graded answers whose outcome is known."""

import numpy as np
import pandas as pd
import pytest

from lossgeometry.errors import InputError
from lossgeometry.evaluation import intervals, statistics
from lossgeometry.evaluation.accuracy import ACCURACY_COLUMNS, tabulate_accuracy
from lossgeometry.evaluation.pass_curves import average_interval
from lossgeometry.experiment.runs import Run
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


NAMES = ("accuracy", "differences", "mcnemar", "pass_at_k", "across_seeds")


def run_of(name):
    """A run from its id, which holds all that is asked here."""
    label, rate, seed = name.replace(".lr", " ").replace(".s", " ").split()
    return Run(name, label, label, float(rate), int(seed), int(seed))


def tabulate(folder, runs=RUNS, pairs=((RUNS[1], RUNS[2]),), contamination=None):
    known = [run_of(run) for run in runs if run != "base"]
    tabulate_accuracy(
        known, ["reachable"], pairs, 0.02, folder, contamination, {name: folder / f"{name}.csv" for name in NAMES}
    )
    return [pd.read_csv(folder / f"{name}.csv") for name in NAMES]


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
    accuracy = tabulate(evaluation)[0]
    assert list(accuracy.columns) == ACCURACY_COLUMNS
    greedy = accuracy[accuracy.decoding == "greedy"].set_index("run")
    assert list(greedy.index) == RUNS
    assert list(greedy.accuracy) == [0.5, 0.6, 0.45]
    low, high = intervals.wilson(120 / 200, 200)
    assert greedy.loc[RUNS[1], ["low", "high"]].tolist() == pytest.approx([low, high], rel=1e-9)
    assert list(greedy.difference_to_base.round(10))[1:] == [0.1, -0.05] and np.isnan(greedy.difference_to_base.iloc[0])
    assert greedy.difference_low[RUNS[1]] > 0 > greedy.difference_high[RUNS[2]]
    assert list(greedy.samples) == [1, 1, 1] and greedy.pass_at_k.isna().all() and set(greedy.interval) == {"wilson"}
    # Each from its own discordance, at the level of a family of two.
    expected = [statistics.minimum_detectable_accuracy_difference(PROBLEMS, b / PROBLEMS, 0.025) for b in (20, 10)]
    assert greedy.minimum_detectable_difference.tolist()[1:] == pytest.approx(expected, rel=1e-9)
    assert np.isnan(greedy.minimum_detectable_difference.iloc[0])
    assert set(greedy.conditional_on) == {"the trained weights"}
    assert set(greedy.tokens_mean) == {20.0}


def test_sampled_rows(evaluation):
    sampled = tabulate(evaluation)[0].query("decoding == 'sampled'").set_index("run")
    assert list(sampled.accuracy) == [0.625, 0.875, 0.625]
    shares = np.array([[1, 1, 0, 0], [1, 1, 1, 0]] * (PROBLEMS // 2))
    assert sampled.standard_error.iloc[0] == pytest.approx(statistics.average_at_k(shares)[1], rel=1e-9)
    assert set(sampled.interval) == {"clustered wilson"} and list(sampled.pass_at_k) == [1.0, 1.0, 1.0]
    # Every problem improves by the same quarter: the paired interval is narrow, but not without width.
    found = intervals.paired(np.full(PROBLEMS, 0.25))
    assert [sampled.difference_low[RUNS[1]], sampled.difference_high[RUNS[1]]] == pytest.approx(
        [found.low, found.high], rel=1e-9
    )
    assert found.high - found.low < 0.02


def test_few_problems_take_the_beta_binomial_interval_and_none_of_thirty_is_not_certain(tmp_path):
    rows = [graded(p, s, "sampled", False) for p in range(30) for s in range(1, 17)]
    write(tmp_path, "base", rows)
    row = tabulate(tmp_path, ["base"], [])[0].iloc[0]
    low, high = intervals.few_problems(np.zeros(30, int), 16)
    assert row.interval == "beta-binomial" and row.low == low == 0 and row.high == pytest.approx(high) and high > 0.06


def test_mcnemar_rows(evaluation):
    mcnemar = tabulate(evaluation)[2]
    assert mcnemar[["run_a", "run_b"]].values.tolist() == [["base", RUNS[1]], ["base", RUNS[2]], [RUNS[1], RUNS[2]]]
    assert mcnemar[["b", "c"]].values.tolist() == [[0, 20], [10, 0], [30, 0]]
    p = [statistics.mcnemar(b, c) for b, c in ((0, 20), (10, 0), (30, 0))]
    np.testing.assert_allclose(mcnemar.p, p, rtol=1e-9)
    # Two questions: what a loss does to the base, and whether the losses differ.
    expected = [*statistics.holm(p[:2]), p[2]]
    np.testing.assert_allclose(mcnemar.p_holm, expected, rtol=1e-9)
    assert list(mcnemar.family) == [2, 2, 1] and mcnemar.question.nunique() == 2


def test_truncation_is_flagged_above_one_percent_and_said_aloud(tmp_path, capsys):
    for run, cut in (("base", 2), (RUNS[1], 3)):
        rows = [graded(p, 0, "greedy", True, "length" if p < cut else "stop") for p in range(PROBLEMS)]
        rows[9] |= {"correct": False, "verdict": "no_answer"}
        rows[10] |= {"correct": False, "verdict": "timeout"}
        write(tmp_path, run, rows)
    accuracy = tabulate(tmp_path, RUNS[:2], [])[0]
    assert list(accuracy.truncation_rate) == [0.01, 0.015] and list(accuracy.truncation_flag) == [False, True]
    assert set(accuracy.no_answer_rate) == set(accuracy.timeout_rate) == {1 / PROBLEMS}
    assert "reads too low" in accuracy.note.iloc[1] and pd.isna(accuracy.note.iloc[0])
    said = capsys.readouterr().out
    assert said.count("WARNING") == 1 and "1.5 % of the completions were cut" in said and "max_new_tokens" in said


def test_a_base_alone_gives_rows_without_comparisons(evaluation):
    accuracy, differences, mcnemar, _, across = tabulate(evaluation, ["base"], [])
    assert len(accuracy) == 2 and len(mcnemar) == len(differences) == len(across) == 0
    assert accuracy[["difference_to_base", "minimum_detectable_difference"]].isna().all(axis=None)


def test_sampled_decoding_alone_has_no_mcnemar_tests(evaluation):
    for run in RUNS:
        write(evaluation, run, [graded(p, s, "sampled", s == 1) for p in range(9) for s in (1, 2)])
    accuracy, differences, mcnemar, *_ = tabulate(evaluation)
    assert set(accuracy.decoding) == {"sampled"} and mcnemar.empty and differences.most_precise.all()


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
    first = [(evaluation / f"{name}.csv").read_bytes() for name in NAMES]
    tabulate(evaluation)
    assert first == [(evaluation / f"{name}.csv").read_bytes() for name in NAMES]


def test_the_accuracy_without_overlap_leaves_exactly_those_problems_out(evaluation):
    ids = [f"p{number:03d}" for number in range(90, 110)]
    table = {"benchmark": ["reachable"], "exact_ids": [";".join(ids[:5])], "ngram_ids": [";".join(ids)]}
    pd.DataFrame(table).to_csv(evaluation / "contamination.csv", index=False)
    accuracy = tabulate(evaluation, contamination=evaluation / "contamination.csv")[0]
    greedy = accuracy[accuracy.decoding == "greedy"].set_index("run")
    assert set(accuracy.problems_without_overlap) == {PROBLEMS - 20}
    assert list(greedy.accuracy_without_overlap) == pytest.approx([90 / 180, 100 / 180, 80 / 180])
    low, high = intervals.wilson(90 / 180, 180)
    assert greedy.loc["base", ["low_without_overlap", "high_without_overlap"]].tolist() == pytest.approx([low, high])


def test_pass_curves_start_at_the_average_and_end_at_pass_at_all(evaluation):
    accuracy, _, _, curves, _ = tabulate(evaluation)
    assert set(curves.decoding) == {"sampled"} and sorted(set(curves.k)) == [1, 2, 3, 4]
    sampled = accuracy[accuracy.decoding == "sampled"].set_index("run")
    for run, rows in curves.groupby("run"):
        rows = rows.set_index("k")
        assert rows.pass_at_k[1] == pytest.approx(rows.avg_at_k[1]) == pytest.approx(sampled.accuracy[run])
        assert rows.pass_at_k[4] == pytest.approx(sampled.pass_at_k[run]) and rows.pass_at_k.is_monotonic_increasing
        # What all samples give is the accuracy's own interval; fewer would have been wider.
        assert [rows.avg_low[4], rows.avg_high[4]] == pytest.approx(list(sampled.loc[run, ["low", "high"]]), rel=1e-8)
        assert (rows.avg_high - rows.avg_low).is_monotonic_decreasing
        assert ((rows.pass_low <= rows.pass_at_k) & (rows.pass_at_k <= rows.pass_high)).all()


def test_the_interval_of_fewer_samples_is_that_of_drawing_them():
    """The variance of avg@1, over draws of problems and samples, is what the components say."""
    generator = np.random.default_rng(6)
    chance = generator.beta(2, 3, 4000)
    many, one = (generator.random((4000, k)) < chance[:, None] for k in (8, 1))
    low, high = average_interval(many, 1)
    expected = intervals.clustered(one.mean(axis=1))
    assert high - low == pytest.approx(expected[1] - expected[0], rel=0.02)


def test_methods_with_two_seeds_have_an_interval_over_seeds(evaluation):
    again = "sft.lr0.001.s7"
    rows = [graded(p, 0, "greedy", p < 110, tokens=20) for p in range(PROBLEMS)]
    rows += [graded(p, s, "sampled", s <= 2) for p in range(PROBLEMS) for s in range(1, 5)]
    write(evaluation, again, rows)
    across = tabulate(evaluation, [*RUNS, again])[4]
    greedy = across[across.decoding == "greedy"].set_index(["quantity", "method_b"])
    assert set(across.method_a) == {"sft", "base"} and set(across.seeds) == {"42;7"}
    solved = np.array([np.arange(PROBLEMS) < 120, np.arange(PROBLEMS) < 110], float)
    found = intervals.crossed_seeds(solved - (np.arange(PROBLEMS) < 100))
    row = greedy.loc[("difference", "sft")]
    assert [row.value, row.low, row.high] == pytest.approx([found.mean, found.low, found.high], rel=1e-9)
    assert row.value == pytest.approx((0.1 + 0.05) / 2)
