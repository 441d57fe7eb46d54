"""The second skill: exact golds, parts that never meet, and problems that say what they ask."""

import json
from itertools import islice

from lossgeometry.grading.grader import Answer, grade
from lossgeometry.problems.generated import BUCKETS, bucket_of
from lossgeometry.problems.ordering import draw_orderings
from lossgeometry.problems.problem_sets import write_prompts
from lossgeometry.settings.tasks import ProblemSet


def test_golds_are_the_numbers_of_the_problem_in_order():
    for problem in islice(draw_orderings(3, "tests"), 300):
        told = problem.text.partition(" with ")[2].partition(".")[0]
        assert list(map(int, problem.answer.split(", "))) == sorted(map(int, told.split(", ")))
        assert problem.solution.endswith(f"\\boxed{{{problem.answer}}}.")


def test_no_problem_is_met_in_two_parts_whatever_the_seeds():
    drawn = {part: {one.key for seed in (0, 5) for one in islice(draw_orderings(seed, part), 400)} for part in BUCKETS}
    assert all(bucket_of(key) in BUCKETS[part] for part, keys in drawn.items() for key in keys)
    again = [one.key for one in islice(draw_orderings(5, "tests"), 50)]
    assert again == [one.key for one in islice(draw_orderings(5, "tests"), 50)] and len(set(again)) == 50


def test_its_solutions_are_right_by_the_exact_grader_and_another_order_is_wrong(tmp_path):
    asked = {"part": "benchmark", "source": "generated", "skill": "ordering", "count": 20, "seed": 2}
    write_prompts(ProblemSet.from_told(asked), tmp_path / "other.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "other.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows] == [f"benchmark-{index:05d}" for index in range(20)]
    right = [Answer(row["answer"], row["solution"], "stop") for row in rows]
    assert all(verdict.correct for verdict in grade(right, 1, 1.0, "exact"))
    turned = [", ".join(reversed(row["answer"].split(", "))) for row in rows]
    wrong = [Answer(row["answer"], f"\\boxed{{{box}}}", "stop") for row, box in zip(rows, turned, strict=True)]
    assert not any(verdict.correct for verdict in grade(wrong, 1, 1.0, "exact"))
