"""Short problems: one or two steps of small numbers, told so that the generated teacher reads them, and none met twice."""

from itertools import islice

import pytest

from lossgeometry.files.jsonl import read_lines
from lossgeometry.problems.generated import BUCKETS
from lossgeometry.problems.problem_sets import write_prompts
from lossgeometry.problems.reading import read_story
from lossgeometry.problems.short import draw_short_problems
from lossgeometry.settings.tasks import ProblemSet


def drawn(part: str, seed: int = 1, count: int = 400) -> list:
    return list(islice(draw_short_problems(seed, part), count))


def test_a_short_problem_has_one_or_two_steps_of_small_numbers_and_is_read_back():
    problems = drawn("rollouts")
    assert {len(problem.steps) for problem in problems} == {1, 2}
    for problem in problems:
        assert read_story(problem.text).problem == problem
        assert all(1 <= quantity <= 60 for quantity in (problem.start, *problem.states))
        assert all(2 <= operand <= 20 for _, operand in problem.steps)


def test_parts_share_no_problem_whatever_their_seeds_and_none_comes_twice():
    keys = {part: [problem.key for seed in (1, 2) for problem in drawn(part, seed)] for part in BUCKETS}
    assert not set(keys["rollouts"]) & set(keys["tests"])
    assert not set(keys["rollouts"] + keys["tests"]) & set(keys["pretraining"])
    assert all(len(set(keys[part][:400])) == 400 for part in keys)


@pytest.mark.parametrize("part", ["train", "benchmark"])
def test_a_set_of_them_is_what_is_asked_for(part, tmp_path):
    asked = ProblemSet(source="generated", difficulty="short", part=part, count=12, seed=3)
    write_prompts(asked, tmp_path / "set.jsonl")
    problems = drawn({"train": "rollouts", "benchmark": "tests"}[part], seed=3, count=12)
    rows = [(row["problem"], row["answer"]) for row in read_lines(tmp_path / "set.jsonl")]
    assert rows == [(problem.text, str(problem.answer)) for problem in problems]
