"""Equal, different, cannot tell: what a paired difference allows one to say, and which tests are corrected together."""

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from lossgeometry.evaluation import statistics
from lossgeometry.evaluation.differences import differences_table, judge_difference, mcnemar_table
from lossgeometry.evaluation.intervals import paired
from lossgeometry.evaluation.outcomes import Outcomes
from lossgeometry.evaluation.questions import CLAIM_EQUAL, LOSSES, questions
from lossgeometry.experiment.runs import Run


def run_of(label, seed=42, rate=1e-3, default=True):
    return Run(f"{label}.lr{rate:g}.s{seed}", label, label, rate, seed, seed, default)


def answers(correct):
    correct = np.asarray(correct, bool)
    none = np.zeros_like(correct)
    names = tuple(f"p{number:04d}" for number in range(len(correct)))
    return Outcomes(names, correct, none, none, none, none.astype(np.int64))


@pytest.mark.parametrize(
    ("low", "high", "p_holm", "verdict"),
    [
        (-0.019, 0.019, 0.9, "equal"),
        (0.001, 0.019, 0.01, "equal"),  # a difference, but one that does not matter
        (-0.021, 0.019, 0.9, "cannot tell"),  # however large p is
        (-0.2, 0.2, 1.0, "cannot tell"),
        (-0.031, -0.011, 0.001, "different"),
        (0.011, 0.031, 0.001, "different"),
        (0.001, 0.031, 0.2, "cannot tell"),  # not after Holm
        (np.nan, np.nan, np.nan, "cannot tell"),
    ],
)
def test_equality_needs_the_interval_inside_the_margin_and_a_difference_its_exclusion_of_0(low, high, p_holm, verdict):
    found, reason = judge_difference(low, high, p_holm, 0.02)
    assert found == verdict and reason
    if not np.isnan(low):
        assert judge_difference(-high, -low, p_holm, 0.02)[0] == verdict


def test_a_large_p_on_few_problems_is_no_equality_and_on_many_it_may_be():
    """The case that was called equal: p at least 0.15 on a benchmark that can see five points."""
    generator = np.random.default_rng(0)
    few, many = (generator.random((problems, 1)) < 0.88 for problems in (500, 40000))
    for solved, verdict in ((few, "cannot tell"), (many, "equal")):
        graded = {
            ("x", "b", "greedy"): answers(solved),
            ("y", "b", "greedy"): answers(_swap(solved, len(solved) // 20, generator)),
        }
        runs = [Run("x", "x", "x", 1.0, 1, 1), Run("y", "y", "y", 1.0, 1, 1)]
        row = differences_table(graded, questions(runs, [("x", "y")]), 0.02).iloc[0]
        assert row.p > 0.15 and row.b == row.c and row.verdict == verdict


def _swap(solved, count, generator):
    """The same answers with `count` right ones made wrong and as many wrong ones right."""
    other = solved.copy()
    for value in (True, False):
        other[generator.choice(np.flatnonzero(solved[:, 0] == value), count, replace=False)] = not value
    return other


RUNS = [run_of(label, seed) for seed in (42, 7) for label in ("sft", "rft", "rift", "dpo")]
RUNS += [run_of("dpo", 42, 1e-4, False), run_of("sft", 42, 1e-4, False), Run("external.mine", "mine", "")]


def test_a_family_is_a_question_in_a_group_and_holds_whatever_else_is_compared():
    pairs = [(a.id, b.id) for a, b in combinations(RUNS, 2)]
    everything = questions(RUNS, pairs)
    one_more = questions([*RUNS, run_of("ipo"), run_of("ipo", 7)], pairs)
    few = questions(RUNS, pairs[:1])
    for asked in (everything, one_more, few):
        for group in ("seed 42", "seed 7"):
            (found,) = [question for question in asked if (question.name, question.group) == (CLAIM_EQUAL, group)]
            assert len(found.pairs) == 3
    counted = {(question.name, question.group): len(question.pairs) for question in everything}
    assert counted[LOSSES, "seed 42"] == counted[LOSSES, "seed 7"] == 6
    assert counted["do the learning rates of dpo differ", "seed 42"] == 1
    assert counted["do the losses differ at one learning rate", "learning rate 0.0001, seed 42"] == 1
    generic = [pair for question in everything if "paper" not in question.name for pair in question.pairs]
    assert sorted(generic) == sorted([("base", run.id) for run in RUNS] + pairs)


def test_the_table_holds_the_tests_of_scipy_with_holm_in_each_family():
    generator, runs = np.random.default_rng(1), RUNS[:3]
    shares = generator.beta(4, 2, (200, 1))
    graded = {}
    for run, by in [("base", -0.1), *((run.id, 0.02 * place) for place, run in enumerate(runs))]:
        graded[run, "one", "greedy"] = answers(generator.random((200, 1)) < shares + by)
        graded[run, "one", "sampled"] = answers(generator.random((200, 4)) < shares + by)
    pairs = [(a.id, b.id) for a, b in combinations(runs, 2)]
    table = differences_table(graded, questions(runs, pairs), 0.02)
    for row in table.itertuples():
        first, second = (graded[run, "one", row.decoding].correct for run in (row.run_a, row.run_b))
        values = second.mean(axis=1) - first.mean(axis=1)
        found = paired(values)
        assert (row.difference, row.low, row.high) == (values.mean(), found.low, found.high)
        assert row.most_precise == (row.decoding == "sampled")
        if row.decoding == "greedy":
            assert (row.b, row.c) == ((values < 0).sum(), (values > 0).sum())
            assert row.p == pytest.approx(stats.binomtest(int(row.b), int(row.b + row.c)).pvalue, rel=1e-10)
            share = (row.b + row.c) / 200
            expected = statistics.minimum_detectable_accuracy_difference(200, share, 0.05 / row.family)
        else:
            assert row.p == pytest.approx(found.p, rel=1e-12)
            expected = (stats.norm.isf(0.025 / row.family) + stats.norm.isf(0.2)) * row.standard_error
        assert row.smallest_difference == pytest.approx(expected, rel=1e-10)
        verdict, _ = judge_difference(row.low, row.high, row.p_holm, 0.02)
        assert row.verdict == verdict
    for _, family in table.groupby(["question", "group", "benchmark", "decoding"]):
        assert (family.family == len(family)).all()
        np.testing.assert_allclose(family.p_holm, statistics.holm(family.p), rtol=1e-12)
    greedy = mcnemar_table(table)
    assert len(greedy) == len(pairs) + len(runs) and not greedy.duplicated(["run_a", "run_b", "benchmark"]).any()
