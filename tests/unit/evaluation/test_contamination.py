"""Overlap of benchmarks with training prompts: what counts, what does not, and that generated problems are never copies."""

from itertools import islice

import pandas as pd
import pytest

from lossgeometry.evaluation.contamination import (
    WORDS,
    contamination_table,
    overlapping_ids,
    tabulate_contamination,
    windows_of,
)
from lossgeometry.files import jsonl
from lossgeometry.problems.generated import draw_problems

TRAIN = r"Find the value of $x + 5,\!525$ if   \(y = 2\)."
WORD_LIST = [f"w{number}" for number in range(40)]


def row_of(trained, tested):
    return contamination_table([trained], {"one": {"p": tested}}).iloc[0]


@pytest.mark.parametrize(
    "copy",
    [
        TRAIN,
        r"find the VALUE of $x+5525$ if y=2.".replace("5525", "5,525"),
        "Find the\tvalue of\n\n $x +~5,525$ if\u00a0$y = 2$.",
        r"Find the value of \[x \, + \quad 5,525\] if \;$y = 2$.",
    ],
)
def test_white_space_case_latex_spacing_and_delimiters_hide_no_copy(copy):
    row = row_of(TRAIN, copy)
    assert (row.exact, row.exact_ids, row.overlapping) == (1, "p", 1)


@pytest.mark.parametrize("other", [TRAIN.replace("2", "3"), TRAIN.replace("+", "-"), TRAIN + " Explain."])
def test_another_number_sign_or_sentence_is_no_copy(other):
    assert row_of(TRAIN, other).exact == 0


def test_thirteen_words_in_a_row_overlap_and_twelve_do_not():
    trained = " ".join(WORD_LIST)
    for length, expected in ((WORDS, 1), (WORDS - 1, 0)):
        tested = " ".join(["other", *WORD_LIST[5 : 5 + length], "words"])
        row = row_of(trained, tested)
        assert (row.ngram, row.exact, row.overlapping) == (expected, 0, expected)
    interrupted = [*WORD_LIST[5:12], "else", *WORD_LIST[12:18]]
    assert row_of(trained, " ".join(interrupted)).ngram == 0
    assert row_of(trained, ", ".join(WORD_LIST[5 : 5 + WORDS]).upper()).ngram == 1


def test_a_problem_under_thirteen_words_overlaps_only_as_a_copy():
    short = " ".join(WORD_LIST[: WORDS - 1])
    assert not windows_of(short)
    assert row_of(" ".join(WORD_LIST), short).overlapping == 0
    row = row_of(short, short)
    assert (row.exact, row.ngram, row.overlapping) == (1, 0, 1)


def test_counts_shares_and_ids_are_by_benchmark(tmp_path):
    long = " ".join(WORD_LIST)
    tested = {"a": {"1": TRAIN, "2": f"{long} more", "3": "new"}, "b": {"1": "new"}, "c": {}}
    table = contamination_table([TRAIN, long], tested).set_index("benchmark")
    assert list(table.loc["a", ["problems", "exact", "ngram", "overlapping"]]) == [3, 1, 1, 2]
    assert table.loc["a", "overlapping_share"] == pytest.approx(2 / 3) and table.loc["b", "overlapping"] == 0
    for name, problems in {"train": {"t1": TRAIN, "t2": long}, **tested}.items():
        jsonl.write_atomic(tmp_path / f"{name}.jsonl", [{"id": i, "problem": p} for i, p in problems.items()])
    tabulate_contamination(tmp_path / "train.jsonl", {n: tmp_path / f"{n}.jsonl" for n in tested}, tmp_path / "c.csv")
    written = pd.read_csv(tmp_path / "c.csv")
    assert list(written.overlapping) == [2, 0, 0]
    assert overlapping_ids(tmp_path / "c.csv") == {"a": {"1", "2"}, "b": frozenset(), "c": frozenset()}


@pytest.mark.parametrize("seed", [1, 2])
def test_no_generated_benchmark_holds_a_copy_of_a_training_prompt(seed):
    """By construction, whatever the seeds: rollouts and tests draw from disjoint buckets. Phrases of the templates recur."""
    trained = [problem.text for problem in islice(draw_problems(1, "mixed", "rollouts"), 600)]
    tested = {
        difficulty: {
            str(n): problem.text for n, problem in enumerate(islice(draw_problems(seed, difficulty, "tests"), 500))
        }
        for difficulty in ("reachable", "hard")
    }
    assert list(contamination_table(trained, tested).exact) == [0, 0]
